"""Mixtures have the documented distributions, and are mixed from their words exactly."""

import numpy as np
import pytest
import torch
from torch import Tensor

from datamodules.mixer import Mixer, Mixtures
from datamodules.mixing import mix
from tests.helpers.distributions import assert_uniform, assert_uniform_between
from tests.helpers.fake_recordings import RATE, tone

# Five words with 3, 1, 4, 1 and 5 recordings; the rows of a word are not contiguous.
ROWS = [np.array(rows) for rows in ([0, 5, 9], [1], [2, 3, 4, 13], [6], [7, 8, 10, 11, 12])]
WORD_OF = np.concatenate([np.full(len(rows), i) for i, rows in enumerate(ROWS)])[np.argsort(np.concatenate(ROWS))]


def draw(n: int = 6000, seed: int = 0, **options) -> Mixtures:
    return Mixer(ROWS, **{"k": (3, 3), **options}).draw(n, np.random.default_rng(seed))


def test_different_words_of_a_range_of_k_with_equal_shares():
    mixtures = draw(k=(2, 4))
    count = (mixtures.gains > 0).sum(axis=1)
    assert_uniform(count - 2, 3)
    assert_uniform(WORD_OF[mixtures.starts[:, 0] // RATE], 5)  # whatever their number of recordings
    assert np.array_equal((mixtures.targets > 0).sum(axis=1), count) and mixtures.targets.dtype == np.float32
    assert np.allclose(mixtures.targets, (mixtures.targets > 0) / count[:, None])
    present = np.where(mixtures.gains > 0, WORD_OF[mixtures.starts // RATE], -1)
    for i in range(5):
        assert np.array_equal((present == i).any(axis=1), mixtures.targets[:, i] > 0)


def test_levels_offsets_and_speeds_are_uniform_and_independent():
    plain, mixtures = draw(gain_db=0.0, offset=0.0), draw(gain_db=6.0, offset=5 / 16_000, speeds=[0.25] * len(ROWS))
    assert_uniform_between(-20 * np.log10(mixtures.gains.astype(np.float64)).ravel(), 0, 6)
    assert_uniform(mixtures.offsets.ravel() + 5, 11)
    assert_uniform_between(np.log(mixtures.speeds.astype(np.float64)).ravel(), -np.log(1.25), np.log(1.25))
    assert (plain.gains == 1).all() and not plain.offsets.any() and (plain.speeds == 1).all()
    assert np.array_equal(mixtures.starts, plain.starts) and np.array_equal(mixtures.targets, plain.targets)


def plain(words: Tensor, gains: Tensor, offsets: Tensor) -> Tensor:
    return mix(words, gains, offsets, torch.ones(gains.shape))


def make(words: list[np.ndarray], gains: list[float], offsets: list[int]) -> Tensor:
    (mixture,) = plain(torch.tensor(np.stack(words))[None], torch.tensor([gains]), torch.tensor([offsets]))
    return mixture


def amplitude(mixture: Tensor, hertz: int) -> float:
    return float(torch.fft.rfft(mixture.double())[hertz].abs()) / 8000


@pytest.mark.parametrize("gains", [[1.0, 1.0, 1.0], [1.0, 0.5, 0.7079], [0.8, 0.9, 0.0]])
def test_gains_are_ratios_between_words_whatever_their_recording_levels(gains):
    words = [tone(300, level=0.01), tone(500, level=0.9), tone(700, level=0.2)]
    mixture = make(words, gains, [0, 0, 0])
    first, second, third = (amplitude(mixture, hertz) for hertz in (300, 500, 700))
    assert second / first == pytest.approx(gains[1] / gains[0], rel=1e-4)
    assert third / first == pytest.approx(gains[2] / gains[0], rel=1e-4, abs=1e-6)


def test_the_target_is_the_words_in_the_audio():
    words = torch.tensor(np.stack([tone(200 + 100 * word, level=0.05 + 0.05 * i) for i, word in enumerate(WORD_OF)]))
    mixtures = draw(40, k=(2, 4), offset=0.0)
    clips = plain(words[mixtures.starts // RATE], torch.tensor(mixtures.gains).float(), torch.tensor(mixtures.offsets))
    for clip, target in zip(clips, mixtures.targets, strict=True):
        levels = [amplitude(clip, 200 + 100 * word) for word in range(5)]
        assert [level > 0.01 for level in levels] == list(target > 0)
        loud = [level for level in levels if level > 0.01]
        assert max(loud) / min(loud) < 10 ** (3 / 20) + 1e-3


@pytest.mark.parametrize("offset", [-15_999, -1600, -1, 0, 1, 1600, 15_999])
def test_a_word_is_shifted_exactly_and_filled_with_zeros(offset):
    word = np.random.default_rng(0).uniform(-0.5, 0.5, 16_000)
    mixture = make([word], [1.0], [offset]).numpy()
    expected = np.zeros(16_000)
    expected[max(0, offset) : 16_000 + min(0, offset)] = word[max(0, -offset) : 16_000 - max(0, offset)]
    assert np.allclose(mixture, expected * 0.9 / np.abs(expected).max(), atol=1e-6)
    assert not mixture[expected == 0].any()


@pytest.mark.parametrize("speed", [0.8, 1.0125, 1.2])
def test_words_are_interpolated_by_cubics(speed):
    torch.manual_seed(0)
    word, offset = torch.randn(1_000).double(), -70
    arguments = torch.ones(1, 1), torch.tensor([[offset]]), torch.tensor([[speed]])
    (played,) = mix(word.float()[None, None], *arguments, max_speed=1.2)
    source = (np.arange(1_000) - 500 - offset) * speed + 500
    inside = (source > 1) & (source < 997)
    before = source[inside].astype(int)
    u, y = torch.from_numpy(source[inside] - before), word
    a, b, c, d = (y[before + i] for i in (-1, 0, 1, 2))
    # Catmull-Rom: through b and c, with the slopes of their neighbors.
    slopes = (c - a) / 2, (d - b) / 2
    expected = (1 + 2 * u) * (1 - u) ** 2 * b + u * (1 - u) ** 2 * slopes[0]
    expected += u**2 * (3 - 2 * u) * c + u**2 * (u - 1) * slopes[1]
    played *= expected.abs().max() / played[inside].abs().max()
    assert torch.allclose(played[inside].double(), expected, atol=1e-3)
    assert not played[(source < -2) | (source > 1_001)].any()
