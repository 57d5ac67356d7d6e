"""Sources and data modules over generated recordings, and the attributes of a trainer that they use."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from datamodules.clips import Splits
from datamodules.overlap import OverlapDataModule
from datamodules.sources import CompetitionFolder, WordFolder
from overlapped_words.errors import DataError
from tests.helpers.fake_recordings import cached_files
from tests.helpers.recipe import winner


def load_words(words: Path, cache_dir: Path, seed: int = 0, **options) -> Splits:
    """The splits of a word folder, small ones of two words per clip."""
    sizes = {"train_size": 60, "val_size": 40, "test_size": 40}
    return WordFolder(words, **{"k": 2, **sizes, **options}).load(cache_dir, seed)


def load_error(source: WordFolder | CompetitionFolder, cache_dir: Path) -> str:
    """The error message of a folder; the cache is empty after it."""
    with pytest.raises(DataError) as caught:
        source.load(cache_dir, 0)
    assert cached_files(cache_dir) == []
    return str(caught.value)


def on_competition(root: Path, cache_dir: Path, val_fraction: float = 0.25, **options) -> OverlapDataModule:
    source = CompetitionFolder(root, val_fraction)
    return OverlapDataModule(source, {}, **{"augment": winner(), "batch_size": 4, "cache_dir": cache_dir, **options})


def on_words(root: Path, cache_dir: Path, **options) -> OverlapDataModule:
    source = WordFolder(root, k=2, train_size=12, val_size=5, test_size=3)
    return OverlapDataModule(source, {}, **{"augment": winner(), "batch_size": 4, "cache_dir": cache_dir, **options})


def fit_loop(step: int) -> Any:
    """What `step_seed` reads, after `step` steps of training."""
    progress = SimpleNamespace(total=SimpleNamespace(completed=step))
    return SimpleNamespace(epoch_loop=SimpleNamespace(batch_progress=progress))


def attend(datamodule: OverlapDataModule, training: bool = True, step: int = 0, rank: int = 0) -> OverlapDataModule:
    """Set up a data module as a trainer does, with the attributes of a trainer that it uses."""
    datamodule.setup()
    loop, strategy = fit_loop(step), SimpleNamespace(root_device=torch.device("cpu"))
    state = {"training": training, "global_rank": rank, "world_size": 1}
    datamodule.trainer = SimpleNamespace(**state, fit_loop=loop, strategy=strategy)
    return datamodule
