"""The data module: the same batches for equal seeds, fresh ones every epoch, augmentation in training alone."""

import multiprocessing
import os
import signal
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
import torch
from lightning import LightningModule, Trainer
from torch import Tensor, nn

from datamodules.augment import Augment, Mixup, RandomCrop, SpecAugment
from datamodules.features import MultiResolutionMel
from datamodules.overlap import EpochSampler, OverlapDataModule, as_float
from datamodules.recordings import DataError
from datamodules.sources import CompetitionFolder, WordFolder
from tests.fake_recordings import half_written, read_table, speech


def winner() -> Augment:
    return Augment([SpecAugment(), RandomCrop()], Mixup())


def on_competition(root: Path, cache_dir: Path, val_fraction: float = 0.25, **options) -> OverlapDataModule:
    source = CompetitionFolder(root, val_fraction)
    return OverlapDataModule(source, {}, **{"augment": winner(), "batch_size": 4, "cache_dir": cache_dir, **options})


def on_words(root: Path, cache_dir: Path, **options) -> OverlapDataModule:
    source = WordFolder(root, k=2, train_size=12, val_size=5, test_size=3)
    return OverlapDataModule(source, {}, **{"augment": winner(), "batch_size": 4, "cache_dir": cache_dir, **options})


def attend(datamodule: OverlapDataModule, training: bool = True, step: int = 0, rank: int = 0) -> OverlapDataModule:
    """As a trainer does, with as much of a trainer as the data module looks at."""
    datamodule.setup()
    datamodule.trainer = SimpleNamespace(
        training=training, global_rank=rank, world_size=1, fit_loop=SimpleNamespace(total_batch_idx=step - 1)
    )
    return datamodule


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_features_from_the_disk_are_those_of_the_waveforms(competition, cache_dir, split):
    batches = {}
    for cache in ("features", "waveforms"):
        datamodule = attend(on_competition(competition, cache_dir, cache=cache), training=False)
        clips = getattr(datamodule, split)
        batch = clips.__getitems__(range(len(clips)))
        assert (batch[0].dtype, batch[0].dim()) == {"features": (torch.float16, 4), "waveforms": (torch.int16, 2)}[
            cache
        ]
        batches[cache] = datamodule.on_after_batch_transfer(batch, 0)
    (features, targets), (reference, same_targets) = batches["features"], batches["waveforms"]
    assert features.dtype == reference.dtype == torch.float32 and features.shape[1:] == (4, 160, 160)
    assert torch.equal(targets, same_targets)
    assert torch.allclose(features, reference, rtol=2**-10, atol=1e-4)
    assert reference.std() > 0.3  # of the pictures, not of nothing


def test_features_are_those_of_the_clips_with_their_ids(competition, cache_dir):
    datamodule = attend(on_competition(competition, cache_dir, cache="features"))
    waveforms = on_competition(competition, cache_dir)
    waveforms.setup()
    expected = MultiResolutionMel()(as_float(waveforms.test.__getitems__([2, 0])[0]))
    assert torch.allclose(datamodule.test.__getitems__([2, 0])[0].float(), expected, atol=4e-3)
    assert not torch.allclose(expected[0], expected[1], atol=0.5)


def test_features_are_computed_once_for_all_clips_of_a_folder(competition, cache_dir, monkeypatch):
    on_competition(competition, cache_dir, cache="features").setup()
    names = half_written(cache_dir)
    assert [name.split("-")[0] for name in names] == ["features"] * 2 + ["waveforms"] * 2
    # Another split of the same clips needs nothing new.
    on_competition(competition, cache_dir, val_fraction=0.5, cache="features", seed=3).setup()
    assert half_written(cache_dir) == names
    # Other features do, of the same waveforms.
    OverlapDataModule(
        CompetitionFolder(competition), {"f_max": 7000.0}, winner(), 4, cache="features", cache_dir=cache_dir
    ).setup()
    assert [name.split("-")[0] for name in half_written(cache_dir)] == ["features"] * 4 + ["waveforms"] * 2


def test_features_of_a_recording_that_changed_are_computed_again(competition, cache_dir):
    before = attend(on_competition(competition, cache_dir, cache="features")).test.__getitems__(range(4))[0]
    soundfile.write(competition / "test/test_002.flac", speech(99), 16_000)
    after = attend(on_competition(competition, cache_dir, cache="features")).test.__getitems__(range(4))[0]
    assert [torch.equal(a, b) for a, b in zip(before, after, strict=True)] == [True, True, False, True]


def test_fresh_mixtures_stay_waveforms_where_features_come_from_the_disk(words, cache_dir):
    datamodule = attend(on_words(words, cache_dir, cache="features"))
    clips, _ = datamodule.train.__getitems__(range(4))
    assert clips.shape == (4, 16_000) and clips.dtype == torch.float32
    assert datamodule.val.array.shape == (5, 4, 160, 160) and datamodule.val.array.dtype == np.float16


def test_another_cache_is_refused(competition, cache_dir):
    with pytest.raises(DataError, match=r"^data\.cache is 'spectra'; choose features, waveforms or auto$"):
        on_competition(competition, cache_dir, cache="spectra")


def test_fewer_clips_than_a_batch(competition, cache_dir):
    with pytest.raises(
        DataError, match=r"^9 training clips do not fill one batch of 10; lower data\.batch_size or add"
    ):
        on_competition(competition, cache_dir, batch_size=10).setup()
    attend(on_competition(competition, cache_dir, batch_size=9)).train_dataloader()


def test_without_validation_everything_is_for_training(competition, cache_dir):
    datamodule = attend(on_competition(competition, cache_dir, val_fraction=0))
    assert datamodule.val is None and datamodule.val_dataloader() == []
    assert len(datamodule.train) == 12 and list(datamodule.fixed_splits) == ["test"]
    (loader,) = datamodule.predict_dataloader()
    assert loader.dataset is datamodule.test


def test_nothing_to_predict(competition, cache_dir):
    (competition / "submission.csv").unlink()
    datamodule = attend(on_competition(competition, cache_dir, val_fraction=0))
    assert datamodule.fixed_splits == {} and datamodule.predict_dataloader() == []


def test_the_source_is_asked_once(competition, cache_dir, monkeypatch):
    calls = []
    load = CompetitionFolder.load
    monkeypatch.setattr(CompetitionFolder, "load", lambda *args: calls.append(args) or load(*args))
    datamodule = on_competition(competition, cache_dir, seed=7)
    datamodule.prepare_data()
    for stage in ("fit", "predict", None):
        datamodule.setup(stage)
    assert [args[1:] for args in calls] == [(cache_dir, 7)]


def test_predictions_are_in_the_order_of_the_ids(competition, cache_dir):
    datamodule = attend(on_competition(competition, cache_dir))
    assert list(datamodule.fixed_splits) == ["val", "test"]
    for loader, clips in zip(datamodule.predict_dataloader(), datamodule.fixed_splits.values(), strict=True):
        batches = list(loader)
        assert [len(batch[0]) for batch in batches] == [min(4, len(clips) - i) for i in range(0, len(clips), 4)]
        assert torch.equal(torch.cat([batch[0] for batch in batches]), torch.from_numpy(clips.array[clips.rows]))


def test_a_few_examples_to_look_at(competition, words, cache_dir):
    datamodule = attend(on_competition(competition, cache_dir))
    waveforms, targets = datamodule.examples(2)
    assert waveforms.dtype == torch.float32
    assert torch.equal(waveforms * 32768, torch.from_numpy(datamodule.val.array[datamodule.val.rows[:2]]).float())
    assert torch.equal(targets, torch.from_numpy(datamodule.val.targets[:2]))
    train = attend(on_competition(competition, cache_dir, val_fraction=0)).examples(1)[0]
    assert train.abs().max() <= 1 and train.shape == (1, 16_000)


def epoch(datamodule: OverlapDataModule, number: int) -> list[tuple[Tensor, Tensor]]:
    """The batches of an epoch, as the trainer asks for them."""
    loader = datamodule.train_dataloader()
    loader.sampler.set_epoch(number)
    return list(loader)


def same(one: list, other: list) -> bool:
    return all(torch.equal(a, b) for x, y in zip(one, other, strict=True) for a, b in zip(x, y, strict=True))


def test_an_epoch_is_every_clip_once_in_an_order_of_its_own(competition, cache_dir):
    datamodule = attend(on_competition(competition, cache_dir, val_fraction=0))
    everything = sorted(map(tuple, datamodule.train.targets.tolist()))
    orders = []
    for number in range(3):
        batches = epoch(datamodule, number)
        assert [len(targets) for _, targets in batches] == [4, 4, 4]
        orders.append([tuple(row) for _, targets in batches for row in targets.tolist()])
        assert sorted(orders[-1]) == everything
    assert len({tuple(order) for order in orders}) == 3
    assert same(epoch(datamodule, 1), epoch(datamodule, 1))


def test_the_last_incomplete_batch_is_dropped(competition, cache_dir):
    datamodule = attend(on_competition(competition, cache_dir, val_fraction=0, batch_size=5))
    assert [len(targets) for _, targets in epoch(datamodule, 0)] == [5, 5]


def test_other_seeds_shuffle_otherwise(competition, cache_dir):
    one, other = (attend(on_competition(competition, cache_dir, seed=seed)) for seed in (0, 1))
    assert not same(epoch(one, 0), epoch(other, 0))


def test_training_mixtures_differ_between_epochs_and_repeat_for_equal_seeds(words, cache_dir):
    one, same_seed, other = (attend(on_words(words, cache_dir, seed=seed)) for seed in (4, 4, 5))
    first, second = epoch(one, 0), epoch(one, 1)
    clips = [clip for batches in (first, second, epoch(other, 0)) for waveforms, _ in batches for clip in waveforms]
    assert len({clip.numpy().tobytes() for clip in clips}) == 36
    assert same(epoch(same_seed, 1), second) and same(epoch(same_seed, 0), first)


def test_worker_processes_change_nothing(words, cache_dir):
    alone = attend(on_words(words, cache_dir, seed=4))
    helped = attend(on_words(words, cache_dir, seed=4, num_workers=2))
    loader = helped.train_dataloader()
    assert loader.num_workers == 2
    for number in range(2):
        loader.sampler.set_epoch(number)
        assert same(list(loader), epoch(alone, number))


@pytest.mark.skipif(sys.platform != "linux", reason="workers are forked on Linux alone")
@pytest.mark.parametrize("number", [signal.SIGUSR2, signal.SIGTERM])
def test_a_worker_leaves_the_signals_that_end_a_job_to_the_training(words, cache_dir, number):
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


def test_several_devices_share_an_epoch():
    data = list(range(10))
    samplers = [EpochSampler(data, 2, rank, shuffle=True, seed=3, drop_last=True) for rank in range(2)]
    seen = []
    for number in range(2):
        for sampler in samplers:
            sampler.set_epoch(number)
        parts = [list(sampler) for sampler in samplers]
        assert sorted(parts[0] + parts[1]) == list(range(10 * number, 10 * number + 10))
        seen.append(parts)
    assert [index - 10 for index in seen[1][0]] != seen[0][0]


def transfer(datamodule: OverlapDataModule, **state) -> tuple[Tensor, Tensor]:
    attend(datamodule, **state)
    return datamodule.on_after_batch_transfer(datamodule.train.__getitems__(range(4)), 0)


@pytest.mark.parametrize("cache", ["features", "waveforms"])
def test_augmentation_is_off_outside_training(competition, cache_dir, cache):
    datamodule = on_competition(competition, cache_dir, cache=cache)
    features, targets = transfer(datamodule, training=False)
    clips, answers = attend(on_competition(competition, cache_dir)).train.__getitems__(range(4))
    assert torch.allclose(features, MultiResolutionMel()(as_float(clips)), atol=4e-3)
    assert torch.equal(targets, answers)
    augmented, mixed = transfer(datamodule, training=True)
    assert augmented.shape == features.shape and not torch.equal(augmented, features)
    assert not torch.equal(mixed, targets) and torch.allclose(mixed.sum(dim=1), torch.ones(4), atol=1e-5)


def test_waveforms_are_augmented_before_their_features_are_computed(competition, cache_dir):
    class Reverse(torch.nn.Module):
        def forward(self, waveforms: Tensor) -> Tensor:
            return waveforms.flip(1)

    # Features from the cache could not be reversed any more: those of training clips are computed then.
    datamodule = on_competition(competition, cache_dir, cache="features", augment=Augment(waveforms=[Reverse()]))
    reversed_clips, _ = transfer(datamodule, training=True)
    clips = as_float(datamodule.train.__getitems__(range(4))[0])
    torch.testing.assert_close(reversed_clips, MultiResolutionMel()(clips.flip(1)))
    assert datamodule.test.array.ndim == 4


def test_every_step_has_draws_of_its_own_that_repeat(competition, cache_dir):
    def draw(seed: int = 0, **state: int) -> bytes:
        return transfer(on_competition(competition, cache_dir, seed=seed), **state)[0].numpy().tobytes()

    others = [draw(seed=1), draw(step=1), draw(step=2), draw(rank=1)]
    assert len({draw(), *others}) == 5
    torch.rand(7)  # whatever was drawn in between
    assert draw(step=2) == others[2] and draw(seed=1) == others[0]


def test_devices_share_a_step(competition, cache_dir):
    datamodule = attend(on_competition(competition, cache_dir))
    datamodule.trainer.world_size = 2
    assert [len(targets) for _, targets in datamodule.train_dataloader()] == [2] * (len(datamodule.train) // 2 // 2)
    datamodule.trainer.world_size = 3
    with pytest.raises(DataError, match=r"data\.batch_size=4 cannot be shared out to 3 devices"):
        datamodule.train_dataloader()


class Listener(LightningModule):
    """Trains nothing to speak of, and keeps every batch."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.heard: dict[str, list[tuple[Tensor, Tensor]]] = {"train": [], "val": [], "predict": []}

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        self.heard["train"].append(batch)
        return self.weight.sum()

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        self.heard["val"].append(batch)

    def predict_step(self, batch: tuple[Tensor, Tensor], batch_idx: int, dataloader_idx: int = 0) -> None:
        self.heard["predict"].append(batch)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.0)


def listen(datamodule: OverlapDataModule, epochs: int = 2) -> dict[str, list[tuple[Tensor, Tensor]]]:
    learner = Listener()
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    trainer = Trainer(accelerator="cpu", max_epochs=epochs, enable_checkpointing=False, **quiet)
    trainer.fit(learner, datamodule)
    trainer.predict(learner, datamodule)
    return learner.heard


@pytest.mark.filterwarnings("ignore:.*does not have many workers.*", "ignore:.*predict returned None.*")
def test_two_epochs_with_lightning(words, cache_dir):
    heard = listen(on_words(words, cache_dir, seed=2))
    assert [len(targets) for _, targets in heard["train"]] == [4] * 6  # 12 mixtures in two epochs
    # Training is augmented, with the draws of its step, and of mixtures that its epoch has for itself.
    alone = on_words(words, cache_dir, seed=2)
    batches = [batch for number in range(2) for batch in epoch(attend(alone), number)]
    steps = [attend(alone, step=step).on_after_batch_transfer(batch, 0) for step, batch in enumerate(batches)]
    assert same(heard["train"], steps)
    clean = [attend(alone, training=False).on_after_batch_transfer(batch, 0) for batch in batches]
    assert not any(torch.equal(a, b) for (a, _), (b, _) in zip(steps, clean, strict=True))
    # Validation is the same before (the sanity check), after the first epoch and after the second, and not augmented.
    val = heard["val"][-2:]
    assert len(heard["val"]) == 6 and all(same(heard["val"][i : i + 2], val) for i in (0, 2))
    clips = attend(on_words(words, cache_dir)).val
    expected = MultiResolutionMel()(as_float(clips.__getitems__(range(5))[0]))
    assert torch.allclose(torch.cat([features for features, _ in val]), expected, atol=1e-4)
    assert torch.equal(torch.cat([targets for _, targets in val]), torch.from_numpy(clips.targets))
    # Prediction begins with the validation clips, as they are.
    assert same(heard["predict"][:2], val) and len(heard["predict"][2][0]) == 3
    # And all of it happens again with the same seed, not with another.
    assert same(listen(on_words(words, cache_dir, seed=2))["train"], heard["train"])
    assert not same(listen(on_words(words, cache_dir, seed=3), epochs=1)["train"], heard["train"][:3])


def test_a_folder_of_the_competition_as_it_came(overlap30, cache_dir, tmp_path):
    root = tmp_path / "Data"  # of the real one the first recordings, which are FLAC here and WAV there
    for split, table in (("train", "train_answer.csv"), ("test", "submission.csv")):
        (root / split).mkdir(parents=True)
        header, *rows = read_table(overlap30 / "Data" / table)
        for clip_id, *_ in rows[:6]:
            (path,) = (overlap30 / "Data" / split).glob(f"{clip_id}.*")
            (root / split / path.name).symlink_to(path)
        (root / table).write_text("\n".join(",".join(row) for row in [header, *rows[:6]]))
    datamodule = attend(on_competition(root, cache_dir, val_fraction=0), training=False)
    (batch,) = epoch(datamodule, 0)
    features, targets = datamodule.on_after_batch_transfer(batch, 0)
    assert features.shape == (4, 4, 160, 160) and targets.shape == (4, 30)
    assert torch.equal(targets.sum(dim=1), torch.ones(4))
    # Calibration: every picture has mean 0, whatever the microphone.
    assert features.mean(dim=(2, 3)).abs().max() < 1e-3 and features.std(dim=(2, 3)).min() > 0.3
