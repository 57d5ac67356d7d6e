"""Read the files of a run folder, which may be damaged or come from an untrusted source.

The classes list the values of metrics.json and config.yaml that are used; other values only have to be plain.
"""

import json
import math
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from typing_extensions import TypedDict  # pydantic rejects typing.TypedDict before Python 3.12

from overlapped_words.errors import RunError
from overlapped_words.messages import printable

if TYPE_CHECKING:
    import pandas as pd

RETRAIN = "train the member again with overwrite=true, or move its folder away"
RESTORE = "restore or delete it"

LARGEST = {".json": 2**20, ".yaml": 2**16, ".csv": 2**30}  # bytes; 1 GiB is 100,000 clips with 1,000 words
MAX_COLUMNS = 10_000  # each costs pandas time, and a long line of commas is a small file
MAX_DEPTH = 20  # levels of nesting; train.py writes six


class Metrics(TypedDict, total=False):
    """metrics.json; `status`, `pool` and `seed` are required."""

    status: str
    pool: str
    seed: int
    fold: int | None
    error: str | None  # why the run failed
    host: str
    pid: int
    max_epochs: int | None
    objective: float
    val_kl: float
    train_seconds: float
    splits: dict[str, dict[str, int]]  # recordings and speakers by split
    words_per_clip: list[int]  # minimum and maximum in training
    cache_keys: dict[str, str]  # by split
    fingerprints: dict[str, str]  # of the recordings of each split, see RunFolder.check_data
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
    metrics: Metrics = read_plain(path, Metrics, RETRAIN)
    if missing := [name for name in ("status", "pool", "seed") if name not in metrics]:
        raise RunError(f"{path}: {missing[0]} is missing; {RETRAIN}")
    return metrics


def read_config(folder: Path) -> Config:
    """A run's settings; empty if there is no config.yaml.

    Raises:
        RunError: config.yaml is damaged, or contains tags, aliases or interpolations.
    """
    path = folder / ".hydra" / "config.yaml"
    return read_plain(path, Config, RESTORE) if path.exists() else {}


def read_epochs(path: Path) -> "pd.DataFrame":
    """A run's metrics.csv, one row per epoch, see `overlapped_words.training.epoch_csv`; empty if there is none.

    Raises:
        RunError: it is not a table of epochs.
    """
    import pandas as pd  # a quarter of a second, which predict.py does not need for one clip

    if not path.exists():
        return pd.DataFrame()
    epochs = read_csv(path, RESTORE)
    if missing := {"epoch", "step", "train/loss", "seconds"} - set(epochs):
        raise RunError(f"{path}: the column {min(missing)} is missing; {RESTORE}")
    for name in epochs:
        numbers, counts = epochs[name].dtype.kind in "iuf", name in ("epoch", "step", "seconds", "train/clips")
        if not numbers or (counts and not epochs[name].abs().lt(2**53).all()):
            raise RunError(f"{path}: not every {name} is a number; {RESTORE}")
    return epochs


def read_csv(path: Path, remedy: str, **layout: Any) -> "pd.DataFrame":
    """A CSV as `pandas.read_csv` reads it with the options `layout`.

    Raises:
        RunError: it is not a table, or is too large; the message ends with the `remedy`.
    """
    import pandas as pd

    _check_file(path, remedy)
    with path.open("rb") as file:
        if any(line.count(b",") >= MAX_COLUMNS for line in file):
            raise RunError(f"{path}: has a line of more than {MAX_COLUMNS:,} columns; {remedy}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # pandas drops surplus cells with a warning
            return pd.read_csv(path, low_memory=False, **layout)
    except (ValueError, ArithmeticError, pd.errors.ParserWarning) as error:
        raise RunError(f"{path}: not a table in UTF-8 ({_reason(error)}); {remedy}") from error


def read_plain(path: Path, kind: Any, remedy: str) -> Any:
    """The content of a JSON file, or of a YAML file without tags, aliases and interpolations; it has the type `kind`.

    Raises:
        RunError: it is damaged or of another type; the message ends with the `remedy`.
    """
    from pydantic import TypeAdapter, ValidationError  # a checkpoint is loaded without it

    _check_file(path, remedy)
    text = path.read_bytes()
    try:
        content = json.loads(text) if path.suffix == ".json" else yaml.load(text, _PlainLoader)
        TypeAdapter(kind).validate_python(content, strict=True)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        name = printable(".".join(map(str, fault["loc"]))[:60]) or "its content"
        raise RunError(f"{path}: {name}: {fault['msg']}; {remedy}") from error
    # In YAML, a malformed number or date raises another exception than YAMLError.
    except (yaml.YAMLError, ValueError, ArithmeticError, RecursionError) as error:
        raise RunError(f"{path}: not plain {path.suffix[1:].upper()} ({_reason(error)}); {remedy}") from error
    for key, value in content.items():
        if not _is_plain({key: value}):
            name = printable(key[:60]) if isinstance(key, str) else "a key"
            raise RunError(f"{path}: {name}: Input should be plain text, finite numbers, lists and mappings; {remedy}")
    return content


def _check_file(path: Path, remedy: str) -> None:
    """Raise RunError for a folder, for a device or a pipe, which may be endless, and for a file of absurd size."""
    if not path.is_file():
        raise RunError(f"{path}: {'not a file' if path.exists() else 'does not exist'}; {remedy}")
    size, largest = path.stat().st_size, LARGEST[path.suffix]
    if size > largest:
        raise RunError(f"{path}: {size:,} bytes, more than the {largest:,} it may have; {remedy}")


class _PlainLoader(yaml.SafeLoader):
    """Rejects tags, interpolations and aliases, a few lines of which can expand to gigabytes."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.peek_event()
        scalar = isinstance(event, yaml.ScalarEvent)
        if isinstance(event, yaml.AliasEvent) or event.tag is not None or (scalar and "${" in event.value):
            raise yaml.composer.ComposerError(None, None, "a tag, an alias or an interpolation", event.start_mark)
        return super().compose_node(parent, index)


def _reason(error: Exception) -> str:
    """The message of an error on one line."""
    if isinstance(error, RecursionError):
        return "nested too deeply"
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        return f"line {error.problem_mark.line + 1}: {error.problem}"
    return " ".join(str(error).split()) or type(error).__name__


def _is_plain(value: Any, depth: int = 0) -> bool:
    """Whether no number, text or nesting in a value makes arithmetic, printing or recursion fail."""
    if isinstance(value, str):
        return value.isascii() or not any("\ud800" <= c <= "\udfff" for c in value)  # which UTF-8 cannot encode
    if isinstance(value, int | float):
        return abs(value) <= 2**53 if isinstance(value, int) else math.isfinite(value)
    if isinstance(value, dict):
        return all(isinstance(key, str) for key in value) and _is_plain([*value, *value.values()], depth)
    if isinstance(value, list):
        return depth < MAX_DEPTH and all(_is_plain(item, depth + 1) for item in value)
    return value is None
