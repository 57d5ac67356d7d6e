"""A warning for each setting of the command line that has no effect in this run."""

import logging
from collections.abc import Iterator
from typing import Any

from hydra.core.hydra_config import HydraConfig

from settings.data import Mixing
from settings.ensemble import Ensemble
from settings.predict import Predict
from settings.train import Train

log = logging.getLogger(__name__)


def warn_unused(settings: Any) -> None:
    """Log the overrides of this job, other than those of its experiment, that `settings` make useless."""
    overrides = HydraConfig.get().overrides.task
    given = [override.lstrip("+~").partition("=")[0] for override in overrides]
    for unused, reason in find_unused(settings):
        for name in given:
            if f"{name}.".startswith(f"{unused}."):
                log.warning("%s has no effect: %s", name, reason)


def find_unused(settings: Any) -> Iterator[tuple[str, str]]:
    """Settings, or groups of them, that have no effect, each with the reason."""
    match settings:
        case Train():
            yield from _of_train(settings)
        case Predict() if settings.output or settings.hop is not None:
            yield "top", f"{'hop' if settings.output is None else 'output'} writes the probabilities of all words"
        case Ensemble(status=True):
            yield from ((name, "status=true writes nothing") for name in ("expect", "combine", "partial", "html"))


def _of_train(cfg: Train) -> Iterator[tuple[str, str]]:
    data = cfg.data
    if cfg.teacher is None:
        yield "teacher_weight", "teacher is null"
    if not any((cfg.logger or {}).values()):
        yield "callbacks.learning_rate", "there is no logger"
        yield "callbacks.dashboard", "there is no logger"
    if cfg.trainer.fast_dev_run:
        yield "trainer.max_epochs", "trainer.fast_dev_run trains one batch"
        yield "trainer.limit_train_batches", "trainer.fast_dev_run trains one batch"
    if getattr(data, "val_fraction", None) == 0:
        yield "data.val_size", "data.val_fraction is 0"
        yield "callbacks.best", "data.val_fraction is 0"
        yield "trainer.check_val_every_n_epoch", "data.val_fraction is 0"
    if isinstance(data, Mixing):
        if data.submission:
            yield "data.test_fraction", "data.submission is the test split"
            yield "data.test_size", "data.submission is the test split"
        elif data.test_fraction == 0:
            yield "data.test_size", "data.test_fraction is 0"
        if data.k in (1, [1, 1]):
            yield "data.curriculum", "data.k is 1 from the first epoch on"
