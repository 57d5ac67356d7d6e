"""All settings of train.py."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field, model_validator
from pydantic.dataclasses import dataclass
from typing_extensions import Self

from overlapped_words.messages import renamed
from overlapped_words.settings.augment import AnyAugment
from overlapped_words.settings.callbacks import Callback, Logger
from overlapped_words.settings.data import Data, Mixing, Synthetic
from overlapped_words.settings.features import MultiResolutionMel
from overlapped_words.settings.fields import (
    CLOSED,
    ExistingFile,
    ExistingFolder,
    Flag,
    Fraction,
    Path,
    Seed,
    Share,
    Text,
    real,
)
from overlapped_words.settings.model import Network
from overlapped_words.settings.optimizer import AnyOptimizer
from overlapped_words.settings.trainer import Trainer


@dataclass(config=CLOSED, kw_only=True)
class Schedule:
    """The learning rate over all steps: a linear rise, then one cosine down."""

    warmup: Share
    """Fraction of the steps in which it rises from zero."""
    final: Fraction
    """Where it ends, as a fraction of its peak."""


@dataclass(config=CLOSED, kw_only=True)
class Train:
    """One run: the training of one member of an ensemble."""

    name: Text
    """The folder outputs/<name>/ that the members of an ensemble share."""
    seed: Seed
    """Seed of the weights, the order of clips, mixtures, augmentation and dropout."""
    schedule: Schedule
    """Learning rate schedule."""
    teacher: ExistingFolder | None
    """Distillation: the folder of an ensemble's complete runs; train on its mean prediction."""
    teacher_weight: Annotated[float, real(above=0, most=1)]
    """Weight of the teacher in the targets; the data's own targets have the rest."""
    compile: Literal["default", "reduce-overhead", "max-autotune", "max-autotune-no-cudagraphs"] | None
    """Train with the network through torch.compile, in this mode."""
    ckpt_path: ExistingFile | None
    """A checkpoint to resume from; null: the run's own last one, if any."""
    overwrite: Flag
    """Delete what an earlier run made in the folder."""
    run_dir: Path
    """The run's folder."""
    data: Data
    features: MultiResolutionMel
    augment: AnyAugment
    model: Network
    optimizer: AnyOptimizer
    trainer: Trainer
    callbacks: dict[str, Callback | None] = Field(default_factory=dict)
    logger: dict[str, Logger | None] = Field(default_factory=dict)

    @model_validator(mode="after")
    def check_targets(self) -> Self:
        if getattr(self.model, "output", "softmax") == "set" and getattr(self.augment, "mixup", None):
            raise ValueError("augment.mixup mixes targets, but model.output=set needs equal shares; set it to null")
        return self

    @model_validator(mode="after")
    def check_callbacks(self) -> Self:
        for name, writes in (
            ("last", "checkpoints/last.ckpt, which resuming and predict.py need"),
            ("epoch_csv", "metrics.csv"),
        ):
            if not self.callbacks.get(name):
                raise ValueError(f"callbacks.{name} is null, but no other callback writes {writes}; leave it on")
        if old := next((name for name in self.callbacks if renamed(f"callbacks.{name}")), None):
            raise ValueError(renamed(f"callbacks.{old}"))
        return self

    def unused(self) -> Iterator[tuple[str, str]]:
        """Settings, or groups of them, that have no effect, each with the reason."""
        data = self.data
        if self.teacher is None:
            yield "teacher_weight", "teacher is null"
        if not any((self.logger or {}).values()):
            yield "callbacks.learning_rate", "there is no logger"
            yield "callbacks.dashboard", "there is no logger"
        if self.trainer.fast_dev_run:
            yield "trainer.max_epochs", "trainer.fast_dev_run trains one batch"
            yield "trainer.limit_train_batches", "trainer.fast_dev_run trains one batch"
        if getattr(data, "val_fraction", None) == 0:
            yield "data.val_size", "data.val_fraction is 0"
            yield "callbacks.best", "data.val_fraction is 0"
            yield "trainer.check_val_every_n_epoch", "data.val_fraction is 0"
        if isinstance(data, Synthetic) and not (data.root or data.unknown):
            yield "data.speaker_regex", "data.root is null"
        if isinstance(data, Mixing):
            if data.submission:
                yield "data.test_fraction", "data.submission is the test split"
                yield "data.test_size", "data.submission is the test split"
            elif data.test_fraction == 0:
                yield "data.test_size", "data.test_fraction is 0"
            if data.k in (1, [1, 1]):
                yield "data.curriculum", "data.k is 1 from the first epoch on"
