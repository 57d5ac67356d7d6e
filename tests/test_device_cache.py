"""Clips in GPU memory give the same batches as clips on the host."""

import pytest
import torch

from datamodules.augment import AddNoise, Augment
from datamodules.loading import cache_on_device
from tests.helpers.data_modules import attend, on_competition, on_words
from tests.helpers.recipe import of_recipe


def batches(datamodule, training: bool = True) -> list:
    """The batches that the network gets: two training epochs, or the validation."""
    attend(datamodule, training=training)
    loader = datamodule.train_dataloader() if training else datamodule.val_dataloader()
    result = []
    for epoch in range(2 if training else 1):
        if training:
            loader.sampler.set_epoch(epoch)
        for batch in loader:
            datamodule.trainer.fit_loop.epoch_loop.batch_progress.total.completed = len(result)
            result.append(datamodule.on_after_batch_transfer(batch, 0))
    return result


def assert_same(batches: list, reference: list, **tolerance: float) -> None:
    assert len(batches) == len(reference) > 0
    for batch, other in zip(batches, reference, strict=True):
        for part, expected in zip(batch, other, strict=True):
            torch.testing.assert_close(part, expected, **(tolerance or {"rtol": 0, "atol": 0}))


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(("choice", "tolerance"), [("waveforms", {}), ("features", {"rtol": 2**-10, "atol": 4e-3})])
def test_clips_on_the_device_give_the_same_batches(competition, cache_dir, training, choice, tolerance):
    host, device = (on_competition(competition, cache_dir, device_cache=name) for name in ("none", choice))
    assert_same(batches(device, training), batches(host, training), **tolerance)


def test_on_the_fly_mixtures_are_mixed_on_the_device_without_worker_processes(words, cache_dir):
    host, device = (on_words(words, cache_dir, device_cache=name, num_workers=2) for name in ("none", "features"))
    assert_same(batches(device), batches(host))
    loader = device.train_dataloader()
    assert isinstance(loader.dataset.array, torch.Tensor) and loader.num_workers == 0 and not loader.pin_memory


def test_features_of_augmented_waveforms_are_computed_at_every_step(competition, cache_dir):
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
