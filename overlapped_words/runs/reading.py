"""Read the files of a run folder, which may be damaged or come from an untrusted source.

The classes list the values of metrics.json and config.yaml that are used; other values only have to be plain.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import yaml
from annotated_types import Ge, Le
from typing_extensions import TypedDict  # pydantic rejects typing.TypedDict before Python 3.12

from overlapped_words.errors import RunError
from overlapped_words.messages import printable
from overlapped_words.tables import read_csv

if TYPE_CHECKING:
    import pandas as pd

RETRAIN = "train the member again with overwrite=true, or move its folder away"
RESTORE = "restore or delete it"

LARGEST = {".json": 2**20, ".yaml": 2**16, ".csv": 2**30}  # bytes; 1 GiB is 100,000 clips with 1,000 words
MAX_LINE = 2**18  # bytes of the first line; pandas takes minutes for a million columns
MAX_DEPTH = 20  # levels of nesting; train.py writes six

# The tables of a member by file name without `.csv`: predictions, and the targets of each.
TARGETS_OF = {"predictions": "test_answers", "val_predictions": "val_answers"}
TABLES = (*TARGETS_OF.keys(), *TARGETS_OF.values())
Integer = Annotated[int, Ge(-(2**53)), Le(2**53)]


class Metrics(TypedDict, total=False):
    """metrics.json; `status`, `pool` and `seed` are required."""

    status: str
    pool: str
    seed: Integer
    fold: Integer | None
    error: str | None  # why the run failed
    host: str
    pid: Integer
    max_epochs: Integer | None
    objective: float
    val_kl: float
    train_seconds: float
    splits: dict[str, dict[str, Integer]]  # recordings and speakers by split
    words_per_clip: list[Integer]  # minimum and maximum in training
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
    train_size: Integer | None


class Config(TypedDict, total=False):
    """.hydra/config.yaml, the resolved settings of a run."""

    name: str
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
    check_file(path, RESTORE)
    epochs = read_csv(path, RunError)
    if missing := {"epoch", "step", "train/loss", "seconds"} - set(epochs):
        raise RunError(f"{path}: the column {min(missing)} is missing; {RESTORE}")
    for name in epochs:
        numbers, counts = epochs[name].dtype.kind in "iuf", name in ("epoch", "step", "seconds", "train/clips")
        if not numbers or (counts and not epochs[name].abs().lt(2**53).all()):
            raise RunError(f"{path}: not every {name} is a number; {RESTORE}")
    return epochs


def read_plain(path: Path, kind: Any, remedy: str) -> Any:
    """The content of a JSON file, or of a YAML file without tags, aliases and interpolations; it has the type `kind`.

    Raises:
        RunError: it is damaged or of another type; the message ends with the `remedy`.
    """
    from pydantic import TypeAdapter, ValidationError  # a checkpoint is loaded without it

    check_file(path, remedy)
    text = path.read_bytes()
    try:
        content = json.loads(text) if path.suffix == ".json" else yaml.load(text, _PlainLoader)
        TypeAdapter(kind).validate_python(content, strict=True)
        json.dumps(content, allow_nan=False, ensure_ascii=False).encode()  # fails if it cannot be shown as text
        if _depth(content) > MAX_DEPTH:
            raise ValueError("nested too deeply")
        return content
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        name = printable(".".join(map(str, fault["loc"]))[:60]) or "its content"
        raise RunError(f"{path}: {name}: {fault['msg']}; {remedy}") from error
    # In YAML, a malformed number or date raises another exception than YAMLError.
    except (yaml.YAMLError, ValueError, TypeError, ArithmeticError, RecursionError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise RunError(f"{path}: not plain {path.suffix[1:].upper()} ({reason}); {remedy}") from error


def check_file(path: Path, remedy: str) -> None:
    """Raise RunError for a folder, for a device or a pipe, which may be endless, and for a file of absurd size."""
    if not path.is_file():
        raise RunError(f"{path}: {'not a file' if path.exists() else 'does not exist'}; {remedy}")
    size, largest = path.stat().st_size, LARGEST[path.suffix]
    if size > largest:
        raise RunError(f"{path}: {size:,} bytes, more than the {largest:,} it may have; {remedy}")
    with path.open("rb") as file:
        if len(file.readline(MAX_LINE)) == MAX_LINE:
            raise RunError(f"{path}: its first line is longer than {MAX_LINE:,} bytes; {remedy}")


class _PlainLoader(yaml.SafeLoader):
    """Rejects tags, interpolations and aliases, a few lines of which can expand to gigabytes."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.peek_event()
        scalar = isinstance(event, yaml.ScalarEvent)
        if isinstance(event, yaml.AliasEvent) or event.tag is not None or (scalar and "${" in event.value):
            raise yaml.composer.ComposerError(None, None, "a tag, an alias or an interpolation", event.start_mark)
        return super().compose_node(parent, index)


def _depth(value: Any) -> int:
    """The levels of nesting in a value."""
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + max(map(_depth, items), default=0)
