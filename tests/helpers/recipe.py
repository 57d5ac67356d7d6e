"""Augmentations with the values in conf/augment."""

from collections.abc import Iterator
from typing import Any, TypeVar

import yaml

from datamodules.augment import Augment, Mixup, RandomCrop, SpecAugment
from tests.helpers.scripts import ROOT

T = TypeVar("T")


def of_recipe(transform: type[T], **changes: Any) -> T:
    """A transform as the first of winner, warp and noise that has it, but for `changes`."""
    options = next(entry for entry in _entries() if entry["_target_"] == f"datamodules.augment.{transform.__name__}")
    return transform(**{name: value for name, value in options.items() if name != "_target_"} | changes)


def winner(padding: int = 32) -> Augment:
    return Augment([of_recipe(SpecAugment), of_recipe(RandomCrop, padding=padding)], of_recipe(Mixup))


def _entries() -> Iterator[dict[str, Any]]:
    for name in ("winner", "warp", "noise"):
        config = yaml.safe_load((ROOT / "conf" / "augment" / f"{name}.yaml").read_text())
        yield from [*config.get("waveforms", []), *config["transforms"], *filter(None, [config.get("mixup")])]
