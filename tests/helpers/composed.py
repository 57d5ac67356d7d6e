"""The settings that a script would run with, in this process."""

from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, read_write

import overlapped_words.training.sweep  # noqa: F401  registers the resolver fold_suffix
from overlapped_words.inference.predict import predict
from overlapped_words.settings import scripts
from overlapped_words.settings.callback import hydra_config, without_hydra
from overlapped_words.settings.check import check
from overlapped_words.settings.train import Train
from tests.helpers.scripts import ROOT


def configuration(script: str, *overrides: str, hydra: bool = False) -> DictConfig:
    """What Hydra composes for `script` (train, predict, ...), with its own settings or without them."""
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        return compose(script, list(overrides), return_hydra_config=hydra)


def run_predict(run_dir: Path, *overrides: str) -> None:
    """predict.py on the CPU, in this process."""
    predict(settings_of("predict", f"run_dir={run_dir}", "device=cpu", *overrides))


def settings_of(script: str, *overrides: str) -> Any:
    """The checked settings of `script`, as in its job."""
    return checked(script, configuration(script, *overrides, hydra=True))


def checked(script: str, config: DictConfig) -> Any:
    """The same of a configuration that has been composed with Hydra's own settings."""
    with read_write(config.hydra):
        config.hydra.job.num, config.hydra.job.id, config.hydra.runtime.output_dir = 0, "0", "outputs"
    with hydra_config(config):
        schema = Train if script == "train" else getattr(scripts, script.title())
        return check(schema, without_hydra(config))
