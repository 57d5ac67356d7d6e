"""Data sets return whole batches."""

import numpy as np
import pytest
import torch

from datamodules.clips import Clips, OnTheFlyMixtures, render
from datamodules.mixer import Mixer
from tests.helpers.fake_recordings import tone


@pytest.fixture
def clips() -> Clips:
    array = np.arange(12, dtype=np.int16).reshape(6, 2)
    targets = np.eye(4, dtype=np.float32)
    return Clips(["d", "a", "c", "b"], array, np.array([5, 0, 3, 1]), targets, "key")


def test_a_subset_keeps_ids_rows_and_targets_together(clips):
    subset = clips.subset(np.array([3, 1]))
    assert subset.ids == ["b", "a"] and subset.array is clips.array and subset.key == "key"
    batch, targets = subset.__getitems__([0, 1])
    assert batch.tolist() == [[2, 3], [0, 1]]
    assert targets.tolist() == [[0, 0, 0, 1], [0, 1, 0, 0]]


def on_the_fly(seed: int = 0, size: int = 20, curriculum: int = 0) -> OnTheFlyMixtures:
    words = np.stack([np.round(tone(200 + 50 * i) * 32768) for i in range(8)]).astype(np.int16)
    mixer = Mixer([np.array([2 * i, 2 * i + 1]) for i in range(4)], k=(2, 3))
    return OnTheFlyMixtures(words, mixer, size, seed, "words", curriculum)


def same(one: tuple, other: tuple) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_on_the_fly_mixtures_are_those_of_the_mixer():
    data = on_the_fly()
    waveforms, targets = data.batch([3, 17])
    mixtures = data.mixer.draw(20, np.random.default_rng([0, 0]))
    assert torch.equal(waveforms, render(data.array, mixtures, np.array([3, 17])))
    assert torch.equal(targets, torch.from_numpy(mixtures.targets[[3, 17]]))


def test_equal_seeds_give_the_same_mixtures_in_any_order():
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
