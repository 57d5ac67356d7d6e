"""Build Lightning's Trainer from the settings."""

import logging
import os
import sys
import warnings
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from lightning import Trainer
from lightning.pytorch.callbacks import Timer
from lightning.pytorch.plugins.environments import LightningEnvironment

from overlapped_words.settings.component import build
from overlapped_words.settings.fields import Group
from overlapped_words.settings.train import Train
from overlapped_words.training.device import TuneThreads, fixed_threads, in_sweep
from overlapped_words.training.ending import RaiseAgain
from overlapped_words.training.loggers import LogSettings


def build_trainer(cfg: Train, devices: Any, has_val: bool) -> Trainer:
    """The trainer with its callbacks and loggers, without the callbacks that have no effect in this run."""
    # A fast_dev_run writes nothing, but MLflow's logger makes a database.
    loggers = [] if cfg.trainer["fast_dev_run"] else build_all("logger", cfg.logger or {})
    useful = {
        "best": has_val,  # without validation, the last checkpoint is the result
        "learning_rate": bool(loggers),
        "progress": sys.stdout.isatty() and not in_sweep() and cfg.trainer.get("enable_progress_bar", True),
    }
    callbacks = {name: plugin for name, plugin in (cfg.callbacks or {}).items() if plugin and useful.get(name, True)}
    # Lightning's own timer stops within an epoch; a run that resumes from the end of one is bitwise the same.
    settings = {**cfg.trainer, "devices": devices, "max_time": None, "enable_progress_bar": "progress" in callbacks}
    plugins = build_all("trainer.plugins", dict(enumerate(settings.pop("plugins", None) or [])))
    one = devices == 1 or (isinstance(devices, list) and len(devices) == 1)
    if one and os.environ.get("SLURM_NTASKS", "1") != "1":
        plugins.append(LightningEnvironment())  # one process in an allocation for several, which Lightning rejects
    return build(
        "trainer",
        settings,
        callbacks=[
            *build_all("callbacks", callbacks),
            LogSettings(asdict(cfg)),
            RaiseAgain(),
            *([TuneThreads()] if cfg.trainer["accelerator"] == "cpu" and not fixed_threads(cfg) else []),
            *([Timer(limit, interval="epoch")] if (limit := cfg.trainer.get("max_time")) else []),
        ],
        logger=loggers,
        plugins=plugins,
    )


def build_all(group: str, plugins: Mapping[Any, Group | None]) -> list[Any]:
    """The objects that the settings of a group describe, without those that are null."""
    return [build(f"{group}.{name}", plugin) for name, plugin in plugins.items() if plugin]


def silence_lightning() -> None:
    """Suppress Lightning's messages about devices, its products and its own use of torch; keep its other warnings."""
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    logging.getLogger("lightning.pytorch.loggers.mlflow").setLevel(logging.ERROR)  # a new experiment is no problem
    for message in (
        "LeafSpec",
        "does not have many workers",  # whole batches come from memory maps, so few workers are enough
        "exists and is not empty",  # the checkpoint folder of a resumed run
        "`srun` command is available",  # a login node of a cluster
        "smaller than the logging interval",
        "across ranks is zero",  # no validation split
        "is not supported by the model summary",  # the summary is off
    ):
        warnings.filterwarnings("ignore", message=f".*{message}.*")
