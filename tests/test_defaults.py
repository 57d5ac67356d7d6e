"""Defaults have one home: conf/, but for the public classes, which keep defaults equal to a recipe's."""

import inspect
from typing import Any

import pytest

from datamodules.augment import AddNoise, Mixup, RandomCrop, RandomWarp, SpecAugment
from datamodules.features import MultiResolutionMel
from datamodules.overlap import OverlapDataModule
from datamodules.sources import CompetitionFolder, WordFolder
from datamodules.synthetic import Synthetic
from lightning_modules.classifier import WordClassifier
from lightning_modules.mac import MAC
from lightning_modules.muon import Muon
from lightning_modules.teacher import Teacher
from overlapped_words.training.dashboard import Dashboard
from tests.helpers.composed import configuration


def defaults(cls: type) -> dict[str, Any]:
    parameters = inspect.signature(cls).parameters.values()
    return {parameter.name: parameter.default for parameter in parameters if parameter.default is not parameter.empty}


@pytest.mark.parametrize(
    ("cls", "line", "group", "different"),
    [
        (MAC, "experiment=winner", "model", ()),
        (MultiResolutionMel, "experiment=winner", "features", ()),
        (OverlapDataModule, "experiment=winner", "data", ("cache", "cache_dir", "device_cache")),  # conf: by device
        (CompetitionFolder, "data=competition", "data", ()),
        (WordFolder, "data=words", "data", ("speed", "curriculum")),  # none: they need the length of a training
    ],
)
def test_public_classes_have_the_defaults_of_a_recipe(cls: type, line: str, group: str, different: tuple[str, ...]):
    config = configuration("train", *line.split())[group]
    shared = {name: value for name, value in defaults(cls).items() if name in config and name not in different}
    assert shared
    for name, value in shared.items():
        assert (list(value) if isinstance(value, tuple) else value) == config[name], name


@pytest.mark.parametrize(
    ("cls", "given"),
    [
        (WordClassifier, ("network", "features", "optimizer", "schedule")),
        (Synthetic, ("num_voices", "takes")),
        (Muon, ("lr", "weight_decay", "momentum")),
        (Teacher, ("networks", "weight")),
        (Dashboard, ("num_clips",)),
        (SpecAugment, ("freq_mask_param", "time_mask_param", "freq_masks", "time_masks")),
        (RandomCrop, ("padding",)),
        (RandomWarp, ("freq_scale", "time_scale", "freq_shift", "time_shift")),
        (AddNoise, ("snr_db", "p")),
        (Mixup, ("p", "low", "high")),
    ],
)
def test_what_conf_gives_has_no_other_default(cls: type, given: tuple[str, ...]):
    assert set(given) <= set(inspect.signature(cls).parameters) and not defaults(cls).keys() & set(given)
