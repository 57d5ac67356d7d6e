"""Read and check the files of a run folder, which may be damaged or come from an untrusted source.

The classes list the values that are used; other values in a file only have to be plain.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

import yaml

from overlapped_words.errors import RunError
from overlapped_words.runs.plain import misfit

if TYPE_CHECKING:
    import pandas as pd

RETRAIN = "train the member again with overwrite=true, or move its folder away"
RESTORE = "restore or delete it"
LARGEST = {".json": 2**22, ".yaml": 2**16, ".csv": 2**24}  # bytes; train.py writes a few thousand


class Metrics(TypedDict, total=False):
    """metrics.json; `status`, `pool` and `seed` are required."""

    status: str
    pool: str
    seed: int
    fold: int | None
    error: str | None  # why the run failed
    host: str
    pid: int
    silence: float  # seconds without a heartbeat after which the run counts as interrupted
    max_epochs: int | None
    objective: float
    val_kl: float
    train_seconds: float
    splits: dict[str, dict[str, int]]  # recordings and speakers by split
    words_per_clip: list[int]  # minimum and maximum in training
    cache_keys: dict[str, str]  # by split
    git_commit: str | None
    git_dirty: bool | None
    versions: dict[str, str]
    device: str


class DataSettings(TypedDict, total=False):
    """The group `data` of config.yaml."""

    source: dict[str, Any]
    cache_dir: str
    train_size: int | None


class Config(TypedDict, total=False):
    """.hydra/config.yaml, the resolved settings of a run."""

    name: str
    seed: int
    data: DataSettings
    features: dict[str, Any]
    augment: dict[str, Any] | None
    model: dict[str, Any]
    optimizer: dict[str, Any]
    schedule: dict[str, Any]
    trainer: dict[str, Any]


def read_metrics(folder: Path) -> Metrics:
    """The content of a run's metrics.json; empty if there is none.

    Raises:
        RunError: it is damaged.
    """
    path = folder / "metrics.json"
    if not path.exists():
        return {}
    metrics: Metrics = read_json(path, Metrics, RETRAIN)
    if missing := [name for name in ("status", "pool", "seed") if name not in metrics]:
        raise RunError(f"{path}: {missing[0]} is missing; {RETRAIN}")
    return metrics


def read_config(folder: Path) -> Config:
    """A run's settings; empty if there is no config.yaml.

    Raises:
        RunError: config.yaml is damaged, or contains tags, aliases or interpolations.
    """
    path = folder / ".hydra" / "config.yaml"
    if not path.exists():
        return {}
    text = _read(path, RESTORE)
    try:
        content = yaml.load(text, _PlainLoader)
    # A malformed number or date raises another exception than YAMLError.
    except (yaml.YAMLError, ValueError, ArithmeticError, RecursionError) as error:
        raise RunError(f"{path}: not plain YAML ({_reason(error)}); {RESTORE}") from error
    return _check(path, content, Config, RESTORE)


def read_epochs(path: Path) -> "pd.DataFrame":
    """A run's metrics.csv, one row per epoch, see `overlapped_words.training.epoch_csv`; empty if there is none.

    Raises:
        RunError: it is not a table of epochs.
    """
    import pandas as pd  # a quarter of a second, which predict.py does not need for one clip

    if not path.exists():
        return pd.DataFrame()
    check_file(path, RESTORE)
    try:
        epochs = pd.read_csv(path)
    except (OSError, ValueError, ArithmeticError) as error:
        raise RunError(f"{path}: not a table ({_reason(error)}); {RESTORE}") from error
    if missing := {"epoch", "step", "train/loss", "seconds"} - set(epochs):
        raise RunError(f"{path}: the column {min(missing)} is missing; {RESTORE}")
    for name in epochs:
        numbers, counts = epochs[name].dtype.kind in "iuf", name in ("epoch", "step", "seconds", "train/clips")
        if not numbers or (counts and not epochs[name].abs().lt(2**53).all()):
            raise RunError(f"{path}: not every {name} is a number; {RESTORE}")
    return epochs


class _PlainLoader(yaml.SafeLoader):
    """Rejects tags, interpolations and aliases, a few lines of which can expand to gigabytes."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.peek_event()
        scalar = isinstance(event, yaml.ScalarEvent)
        if isinstance(event, yaml.AliasEvent) or event.tag is not None or (scalar and "${" in event.value):
            raise yaml.composer.ComposerError(None, None, "a tag, an alias or an interpolation", event.start_mark)
        return super().compose_node(parent, index)


def check_file(path: Path, remedy: str) -> None:
    """Raise RunError for a folder, for a device or a pipe, which may be endless, and for a file of absurd size."""
    if not path.is_file():
        raise RunError(f"{path}: not a file; {remedy}")
    size, most = path.stat().st_size, LARGEST.get(path.suffix, 0)
    if size > most:
        raise RunError(f"{path}: {size:,} bytes, more than the {most:,} it may have; {remedy}")


def _read(path: Path, remedy: str) -> bytes:
    check_file(path, remedy)
    return path.read_bytes()


def read_json(path: Path, kind: Any, remedy: str) -> Any:
    """The content of a JSON file, which has the type `kind`.

    Raises:
        RunError: it is not JSON, or of another type; the message ends with the `remedy`.
    """
    text = _read(path, remedy)
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RunError(f"{path}: not JSON ({_reason(error)}); {remedy}") from error
    return _check(path, content, kind, remedy)


def _reason(error: Exception) -> str:
    """The message of an error on one line."""
    if isinstance(error, RecursionError):
        return "nested too deeply"
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        return f"line {error.problem_mark.line + 1}: {error.problem}"
    return " ".join(str(error).split()) or type(error).__name__


def _check(path: Path, content: Any, kind: Any, remedy: str) -> Any:
    if text := misfit(content, kind):
        raise RunError(f"{path}: {text}; {remedy}")
    return content
