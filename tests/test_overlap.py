"""The data sets and the data module give the features of the right clips, and compute nothing twice."""

import numpy as np
import pytest
import torch

from datamodules.augment import AddNoise, Augment
from datamodules.clips import OnTheFlyMixtures, render
from datamodules.loading import cache_on_device
from datamodules.mixer import Mixer
from datamodules.overlap import OverlapDataModule
from datamodules.sources import CompetitionFolder
from overlapped_words.errors import DataError
from tests.helpers.data_modules import attend, on_competition, on_words
from tests.helpers.fake_recordings import cached_files, tone
from tests.helpers.recipe import of_recipe, winner


def on_the_fly(seed: int = 0, size: int = 20, curriculum: int = 0) -> OnTheFlyMixtures:
    words = np.stack([np.round(tone(200 + 50 * i) * 32768) for i in range(8)]).astype(np.int16)
    mixer = Mixer([np.array([2 * i, 2 * i + 1]) for i in range(4)], k=(2, 3))
    return OnTheFlyMixtures(words, mixer, size, seed, "words", curriculum)


def same(one: tuple, other: tuple) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_on_the_fly_mixtures_are_those_of_the_mixer_and_equal_seeds_give_the_same_in_any_order():
    data = on_the_fly()
    mixtures = data.mixer.draw(20, np.random.default_rng([0, 0]))
    expected = render(data.array, mixtures, np.array([3, 17])), torch.from_numpy(mixtures.targets[[3, 17]])
    assert same(data.batch([3, 17]), expected)
    data, other = on_the_fly(seed=5), on_the_fly(seed=5)
    other.batch(range(20), epoch=3)
    assert same(data.batch(range(20), epoch=1), other.batch(range(20), epoch=1))
    assert same(data.batch([5], epoch=1), tuple(part[5:6] for part in other.batch(range(20), epoch=1)))
    assert same(data.batch([7]), on_the_fly(seed=5).batch([7]))  # also an earlier epoch
    first, *others = data.batch(range(20)), on_the_fly(seed=6).batch(range(20)), data.batch(range(20), epoch=1)
    assert not any(same(first, other) for other in others)


def test_a_curriculum_starts_with_single_words():
    data, plain = on_the_fly(size=200, curriculum=6), on_the_fly(size=200)

    def counts(epoch: int) -> set[int]:
        _, targets = data.batch(range(200), epoch)
        return {int(count) for count in (targets > 0).sum(dim=1)}

    assert [counts(epoch) for epoch in range(6)] == [{1}, {1}, {1, 2}, {1, 2}, {1, 2, 3}, {1, 2, 3}]
    assert same(data.batch(range(40), epoch=6), plain.batch(range(40), epoch=6))


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
    assert torch.equal(targets, same_targets) and torch.allclose(features, reference, rtol=2**-10, atol=1e-4)
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


def test_fewer_clips_than_a_batch_are_an_error_and_without_validation_all_are_for_training(competition, cache_dir):
    with pytest.raises(DataError, match=r"^9 training clips do not fill one batch of 10; lower data\.batch_size or"):
        on_competition(competition, cache_dir, batch_size=10).setup()
    attend(on_competition(competition, cache_dir, batch_size=9)).train_dataloader()
    datamodule = attend(on_competition(competition, cache_dir, val_fraction=0))
    assert datamodule.val is None and datamodule.val_dataloader() == []
    assert len(datamodule.train) == 12 and list(datamodule.fixed_splits) == ["test"]
    (loader,) = datamodule.predict_dataloader()
    assert loader.dataset is datamodule.test


def batches(datamodule, training: bool = True, device: str = "cpu") -> list:
    """The batches that the network gets: two training epochs, or the validation."""
    attend(datamodule, training=training).trainer.strategy.root_device = torch.device(device)
    loader = datamodule.train_dataloader() if training else datamodule.val_dataloader()
    result = []
    for epoch in range(2 if training else 1):
        if training:
            loader.sampler.set_epoch(epoch)
        for batch in loader:
            datamodule.trainer.fit_loop.epoch_loop.batch_progress.total.completed = len(result)
            result.append(datamodule.on_after_batch_transfer(tuple(part.to(device) for part in batch), 0))
    return result


def assert_same(batches: list, reference: list, **tolerance: float) -> None:
    assert len(batches) == len(reference) > 0
    for batch, other in zip(batches, reference, strict=True):
        for part, expected in zip(batch, other, strict=True):
            torch.testing.assert_close(part, expected, **(tolerance or {"rtol": 0, "atol": 0}))


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(("choice", "tolerance"), [("waveforms", {}), ("features", {"rtol": 2**-10, "atol": 4e-3})])
def test_clips_on_the_device_give_the_same_batches(competition, cache_dir, training, choice, tolerance, device):
    host, there = (on_competition(competition, cache_dir, device_cache=name) for name in ("none", choice))
    assert_same(batches(there, training, device), batches(host, training, device), **tolerance)


def test_mixtures_and_augmented_waveforms_are_computed_on_the_device(words, cache_dir, competition):
    host, device = (on_words(words, cache_dir, device_cache=name, num_workers=2) for name in ("none", "features"))
    assert_same(batches(device), batches(host))
    loader = device.train_dataloader()
    assert isinstance(loader.dataset.array, torch.Tensor) and loader.num_workers == 0 and not loader.pin_memory
    augment = Augment(waveforms=[of_recipe(AddNoise, p=1.0)])
    datamodule = attend(on_competition(competition, cache_dir, device_cache="features", augment=augment))
    assert datamodule.train_dataloader().dataset.array.shape == (9, 16_000)
    assert datamodule.val_dataloader().dataset.array.shape == (3, 4, 160, 160)


@pytest.mark.parametrize(("free", "kind"), [(10**9, "features"), (10**6, "waveforms"), (10**5, "none")])
def test_auto_takes_what_fits_in_half_of_the_free_memory(competition, cache_dir, monkeypatch, free, kind):
    datamodule = attend(on_competition(competition, cache_dir))
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free, 2 * free))

    class Cuda:  # a fake GPU
        type = "cuda"

    monkeypatch.setattr(torch.Tensor, "to", lambda self, *args, **kwargs: self)
    placed = cache_on_device(datamodule.train, Cuda(), "auto", datamodule.to_features)
    shapes = {"features": (9, 4, 160, 160), "waveforms": (9, 16_000)}
    assert placed is datamodule.train if kind == "none" else placed.array.shape == shapes[kind]
