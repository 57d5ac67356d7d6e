"""Augmentations with the values in conf/augment."""

from collections.abc import Iterator
from typing import Any, TypeVar

import yaml
from hydra.utils import instantiate

from datamodules.augment import Augment
from tests.helpers.scripts import ROOT

T = TypeVar("T")


def of_recipe(transform: type[T], **changes: Any) -> T:
    """A transform as the first of winner, warp and noise that has it, but for `changes`."""
    options = next(entry for entry in _entries() if entry["_target_"] == f"datamodules.augment.{transform.__name__}")
    return transform(**{name: value for name, value in options.items() if name != "_target_"} | changes)


def winner() -> Augment:
    return instantiate(_read("winner"), _convert_="all")


def _entries() -> Iterator[dict[str, Any]]:
    for name in ("winner", "warp", "noise"):
        config = _read(name)
        yield from [*config.get("waveforms", []), *config["transforms"], *filter(None, [config.get("mixup")])]


def _read(name: str) -> dict[str, Any]:
    return yaml.safe_load((ROOT / "conf" / "augment" / f"{name}.yaml").read_text())
