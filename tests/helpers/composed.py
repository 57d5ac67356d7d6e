"""The settings that a script would run with, in this process."""

from importlib import import_module
from typing import Any

from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

from overlapped_words.settings.check import check
from tests.helpers.scripts import ROOT


def configuration(script: str, *overrides: str, hydra: bool = False) -> DictConfig:
    """What Hydra composes for `script` (train, predict, ...), with its own settings or without them."""
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        return compose(script, list(overrides), return_hydra_config=hydra)


def schema(script: str) -> Any:
    return getattr(import_module(f"overlapped_words.settings.{script}"), script.title())


def settings_of(script: str, *overrides: str) -> Any:
    """The checked settings of `script`."""
    return check(schema(script), configuration(script, *overrides))
