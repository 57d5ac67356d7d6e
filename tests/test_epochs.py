"""Training batches repeat for equal seeds and differ between epochs; only training is augmented."""

import multiprocessing
import os
import signal
import sys

import pytest
import torch
from lightning import LightningModule, Trainer
from torch import Tensor, nn

from datamodules.augment import Augment
from datamodules.features import MultiResolutionMel
from datamodules.overlap import OverlapDataModule
from datamodules.seeding import step_seed
from datamodules.waveforms import from_int16
from overlapped_words.errors import DataError
from tests.helpers.data_modules import attend, on_competition, on_words
from tests.helpers.networks import QUIET


def epoch(datamodule: OverlapDataModule, number: int) -> list[tuple[Tensor, Tensor]]:
    """The batches of an epoch, as the trainer asks for them."""
    loader = datamodule.train_dataloader()
    loader.sampler.set_epoch(number)
    return list(loader)


def same(one: list, other: list) -> bool:
    return all(torch.equal(a, b) for x, y in zip(one, other, strict=True) for a, b in zip(x, y, strict=True))


def test_every_epoch_has_every_clip_once_in_a_new_order(competition, cache_dir):
    datamodule = attend(on_competition(competition, cache_dir, val_fraction=0))
    all_targets = sorted(map(tuple, datamodule.train.targets.tolist()))
    orders = []
    for number in range(3):
        batches = epoch(datamodule, number)
        assert [len(targets) for _, targets in batches] == [4, 4, 4]
        orders.append([tuple(row) for _, targets in batches for row in targets.tolist()])
        assert sorted(orders[-1]) == all_targets
    assert len({tuple(order) for order in orders}) == 3
    assert same(epoch(datamodule, 1), epoch(datamodule, 1))


def test_worker_processes_do_not_change_the_batches(words, cache_dir):
    single = attend(on_words(words, cache_dir, seed=4))
    loader = attend(on_words(words, cache_dir, seed=4, num_workers=2)).train_dataloader()
    assert loader.num_workers == 2
    for number in range(2):
        loader.sampler.set_epoch(number)
        assert same(list(loader), epoch(single, number))


@pytest.mark.skipif(sys.platform != "linux", reason="workers are forked on Linux only")
@pytest.mark.parametrize("number", [signal.SIGUSR2, signal.SIGTERM])
def test_workers_ignore_the_signals_that_end_a_job(words, cache_dir, number):
    before = signal.signal(number, lambda *_: os._exit(3))
    try:
        batches = iter(attend(on_words(words, cache_dir, num_workers=1)).train_dataloader())
        next(batches)
        (worker,) = multiprocessing.active_children()
        os.kill(worker.pid, number)
        worker.join(0.5)
        assert worker.is_alive() and len(list(batches)) == 2
    finally:
        signal.signal(number, before)
    del batches
    worker.join(10)
    assert not worker.is_alive()


def transfer(datamodule: OverlapDataModule, **state) -> tuple[Tensor, Tensor]:
    attend(datamodule, **state)
    return datamodule.on_after_batch_transfer(datamodule.train.__getitems__(range(4)), 0)


@pytest.mark.parametrize("cache", ["features", "waveforms"])
def test_augmentation_is_off_outside_training(competition, cache_dir, cache):
    datamodule = on_competition(competition, cache_dir, cache=cache)
    features, targets = transfer(datamodule, training=False)
    augmented, mixed = transfer(datamodule, training=True)
    assert augmented.shape == features.shape and not torch.equal(augmented, features)
    assert not torch.equal(mixed, targets) and torch.allclose(mixed.sum(dim=1), torch.ones(4), atol=1e-5)


def test_waveforms_are_augmented_before_their_features_are_computed(competition, cache_dir):
    class Reverse(torch.nn.Module):
        def forward(self, waveforms: Tensor, generator: torch.Generator) -> Tensor:
            return waveforms.flip(1)

    # Cached features cannot be reversed, so those of training clips are computed.
    datamodule = on_competition(competition, cache_dir, cache="features", augment=Augment(waveforms=[Reverse()]))
    reversed_clips, _ = transfer(datamodule, training=True)
    clips = from_int16(datamodule.train.__getitems__(range(4))[0])
    torch.testing.assert_close(reversed_clips, MultiResolutionMel()(clips.flip(1)))
    assert datamodule.test.array.ndim == 4


def test_every_step_has_its_own_augmentation_that_repeats_and_devices_share_it(competition, cache_dir):
    def draw(seed: int = 0, **state: int) -> bytes:
        return transfer(on_competition(competition, cache_dir, seed=seed), **state)[0].numpy().tobytes()

    state = torch.get_rng_state()
    others = [draw(seed=1), draw(step=1), draw(step=2), draw(rank=1)]
    assert len({draw(), *others}) == 5
    assert torch.equal(torch.get_rng_state(), state)  # the network's dropout does not depend on augmentation
    torch.rand(7)  # other random numbers in between change nothing
    assert draw(step=2) == others[2]
    datamodule = attend(on_competition(competition, cache_dir))
    datamodule.trainer.world_size = 2
    assert [len(targets) for _, targets in datamodule.train_dataloader()] == [2] * (len(datamodule.train) // 2 // 2)
    datamodule.trainer.world_size = 3
    with pytest.raises(DataError, match=r"data\.batch_size=4 is not divisible by 3 devices"):
        datamodule.train_dataloader()


class Recorder(LightningModule):
    """Stores every batch and trains one weight."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.batches: dict[str, list[tuple[Tensor, Tensor]]] = {"train": [], "val": [], "predict": []}
        self.seeds: list[int] = []

    def on_train_batch_start(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        self.seeds.append(step_seed(self.trainer, 0))

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        self.batches["train"].append(batch)
        return self.weight.sum()

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        self.batches["val"].append(batch)

    def predict_step(self, batch: tuple[Tensor, Tensor], batch_idx: int, dataloader_idx: int = 0) -> None:
        self.batches["predict"].append(batch)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.0)


@pytest.mark.filterwarnings("ignore:.*does not have many workers.*", "ignore:.*predict returned None.*")
def test_two_epochs_with_lightning(words, cache_dir):
    learner, datamodule = Recorder(), on_words(words, cache_dir, seed=2)
    trainer = Trainer(accelerator="cpu", max_epochs=2, **QUIET)
    trainer.fit(learner, datamodule)
    trainer.predict(learner, datamodule)
    recorded = learner.batches
    # The network counts steps as the data module does when it augments.
    assert learner.seeds == [step_seed(attend(datamodule, step=i).trainer, 0) for i in range(6)]
    # Training batches are the mixtures of their epoch, with the augmentation of their step.
    batches = [batch for number in range(2) for batch in epoch(attend(datamodule), number)]
    steps = [attend(datamodule, step=step).on_after_batch_transfer(batch, 0) for step, batch in enumerate(batches)]
    assert len(steps) == 6 and same(recorded["train"], steps)  # 12 mixtures in two epochs
    # Validation batches are the same in the sanity check and after both epochs, and not augmented.
    val = recorded["val"][-2:]
    assert len(recorded["val"]) == 6 and all(same(recorded["val"][i : i + 2], val) for i in (0, 2))
    clips = attend(on_words(words, cache_dir)).val
    expected = MultiResolutionMel()(from_int16(clips.__getitems__(range(5))[0]))
    assert torch.allclose(torch.cat([features for features, _ in val]), expected, atol=1e-4)
    assert torch.equal(torch.cat([targets for _, targets in val]), torch.from_numpy(clips.targets))
    # Prediction starts with the validation clips, not augmented.
    assert same(recorded["predict"][:2], val) and len(recorded["predict"][2][0]) == 3
