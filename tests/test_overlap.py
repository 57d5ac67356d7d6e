"""The data module gives the features of the right clips, from disk or computed, and computes nothing twice."""

import pytest
import torch

from datamodules.overlap import OverlapDataModule
from datamodules.sources import CompetitionFolder, WordFolder
from overlapped_words.errors import DataError
from tests.helpers.data_modules import attend, on_competition, winner
from tests.helpers.fake_recordings import cached_files


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_features_from_disk_equal_those_of_the_waveforms(competition, cache_dir, split):
    batches = {}
    for cache in ("features", "waveforms"):
        datamodule = attend(on_competition(competition, cache_dir, cache=cache), training=False)
        clips = getattr(datamodule, split)
        batch = clips.__getitems__(range(len(clips)))
        assert batch.clips.dtype == {"features": torch.float16, "waveforms": torch.int16}[cache]
        batches[cache] = datamodule.on_after_batch_transfer(batch, 0)
    (features, targets), (reference, same_targets) = batches["features"], batches["waveforms"]
    assert features.dtype == reference.dtype == torch.float32 and features.shape[1:] == (4, 160, 160)
    assert torch.equal(targets, same_targets)
    assert torch.allclose(features, reference, rtol=2**-10, atol=1e-4)
    assert reference.std() > 0.3  # not silence


def test_features_are_computed_once_for_all_clips_of_a_folder(competition, cache_dir, monkeypatch):
    on_competition(competition, cache_dir, cache="features").setup()
    names = cached_files(cache_dir)
    assert [name.split("-")[0] for name in names] == ["features"] * 2 + ["waveforms"] * 2
    # A different split of the same clips needs no new arrays.
    on_competition(competition, cache_dir, val_fraction=0.5, cache="features", seed=3).setup()
    assert cached_files(cache_dir) == names
    # Different features of the same waveforms do.
    source, options = CompetitionFolder(competition), {"cache": "features", "cache_dir": cache_dir}
    OverlapDataModule(source, {"f_max": 7000.0}, winner(), 4, **options).setup()
    assert [name.split("-")[0] for name in cached_files(cache_dir)] == ["features"] * 4 + ["waveforms"] * 2


def test_fewer_clips_than_a_batch(competition, cache_dir):
    with pytest.raises(DataError, match=r"^9 training clips do not fill one batch of 10; lower data\.batch_size or"):
        on_competition(competition, cache_dir, batch_size=10).setup()
    attend(on_competition(competition, cache_dir, batch_size=9)).train_dataloader()


def test_without_validation_all_clips_are_for_training(competition, cache_dir):
    datamodule = attend(on_competition(competition, cache_dir, val_fraction=0))
    assert datamodule.val is None and datamodule.val_dataloader() == []
    assert len(datamodule.train) == 12 and list(datamodule.fixed_splits) == ["test"]
    (loader,) = datamodule.predict_dataloader()
    assert loader.dataset is datamodule.test


def test_examples_are_the_first_clips(competition, words, cache_dir):
    datamodule = attend(on_competition(competition, cache_dir))
    waveforms, targets = datamodule.examples(2)
    assert torch.equal(waveforms * 32768, torch.from_numpy(datamodule.val.array[datamodule.val.rows[:2]]).float())
    assert torch.equal(targets, torch.from_numpy(datamodule.val.targets[:2]))
    assert len(datamodule.examples(99)[0]) == len(datamodule.val) == 3
    source = WordFolder(words, k=2, train_size=12, val_fraction=0, test_fraction=0)
    datamodule = attend(OverlapDataModule(source, {}, winner(), 4, cache_dir=cache_dir))
    mixtures = zip(datamodule.examples(3), datamodule.train.batch(range(3)), strict=True)
    assert all(torch.equal(one, other) for one, other in mixtures)
