"""Read the files of a run folder: metrics.json, .hydra/config.yaml and metrics.csv.

The classes list the values that are used; other values in a file only have to be plain.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from typing_extensions import TypedDict  # pydantic rejects typing.TypedDict before Python 3.12

from overlapped_words.errors import RunError
from overlapped_words.runs.parsing import read_csv, read_plain

if TYPE_CHECKING:
    import pandas as pd

RETRAIN = "train the member again with overwrite=true, or move its folder away"
RESTORE = "restore or delete it"


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
