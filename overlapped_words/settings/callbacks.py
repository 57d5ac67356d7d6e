"""conf/callbacks and conf/logger: what a run records. Null turns off a callback or logger."""

from typing import Annotated, Literal

from pydantic.dataclasses import dataclass

from overlapped_words.settings.fields import OPEN, AnyText, Count, Flag, Index, Path, Target, Text, installed, whole
from overlapped_words.settings.options import Options
from overlapped_words.settings.plugin import Plugin


@dataclass(config=OPEN, kw_only=True)
class ModelCheckpoint(Plugin):
    """Writes the weights and all that a run needs to resume."""

    dirpath: Path
    """Folder of the checkpoints."""
    filename: Text
    """Name of the file, without .ckpt."""
    enable_version_counter: Flag
    """Number files of one name instead of replacing them."""


@dataclass(config=OPEN, kw_only=True)
class LearningRateMonitor(Plugin):
    """Logs the learning rate."""

    logging_interval: Literal["step", "epoch"] | None
    """When; null: at every step and epoch."""


@dataclass(config=OPEN, kw_only=True)
class History(Plugin):
    """Writes the table of epochs."""

    path: Path
    """The table, a CSV file."""


@dataclass(config=OPEN, kw_only=True)
class TQDMProgressBar(Plugin):
    """Shows progress on a terminal."""

    refresh_rate: Count
    """Steps from one refresh to the next."""


@dataclass(config=OPEN, kw_only=True)
class Dashboard(Plugin):
    """Shows a few clips in TensorBoard, W&B or MLflow: audio, features, predictions."""

    num_clips: Annotated[int, whole(1, 1000)]
    """How many clips."""


@dataclass(config=OPEN, kw_only=True)
class TensorBoardLogger(Plugin):
    """Writes curves, sounds and plots for TensorBoard."""

    save_dir: Path
    """The run's folder."""
    name: AnyText
    """Folder inside of `save_dir`."""
    version: AnyText | Index | None
    """Folder inside of `name`; empty for none."""
    default_hp_metric: Flag
    """Log a metric that stands for all hyperparameters."""


@dataclass(config=OPEN, kw_only=True)
class WandbLogger(Plugin):
    """Writes curves, audio and plots for Weights & Biases."""

    _target_: Annotated[Target, installed("wandb", extra="wandb")]
    """The class."""
    save_dir: Path
    """The run's folder; the files are in wandb/."""
    project: Text
    """The W&B project."""
    group: Text
    """Group of runs in the project."""
    name: Text
    """Name of the W&B run."""
    offline: Flag
    """Upload nothing; `wandb sync` uploads the files later."""


@dataclass(config=OPEN, kw_only=True)
class MLFlowLogger(Plugin):
    """Writes curves, audio and plots for MLflow."""

    _target_: Annotated[Target, installed("mlflow", extra="mlflow")]
    """The class."""
    save_dir: Path
    """The run's folder; the id of the MLflow run is in mlflow/."""
    tracking_uri: Text
    """The store: sqlite:///FILE, or the address of a server."""
    artifact_location: Path | None
    """Folder of audio and plots; null: a server's own."""
    experiment_name: Text
    """The MLflow experiment."""
    run_name: Text
    """Name of the MLflow run."""


Callback = Annotated[
    Plugin,
    Options(
        "_target_",
        {
            "lightning.pytorch.callbacks.ModelCheckpoint": ModelCheckpoint,
            "lightning.pytorch.callbacks.LearningRateMonitor": LearningRateMonitor,
            "lightning.pytorch.callbacks.TQDMProgressBar": TQDMProgressBar,
            "overlapped_words.training.epoch_csv.EpochCSVLogger": History,
            "overlapped_words.training.dashboard.Dashboard": Dashboard,
        },
    ),
]
Logger = Annotated[
    Plugin,
    Options(
        "_target_",
        {
            "lightning.pytorch.loggers.TensorBoardLogger": TensorBoardLogger,
            "overlapped_words.training.loggers.WandbLogger": WandbLogger,
            "overlapped_words.training.loggers.MLFlowLogger": MLFlowLogger,
        },
    ),
]
