"""Training clips that look like windows of a long recording."""

import numpy as np
import pytest

from datamodules.clips import render
from datamodules.spans import Spans
from datamodules.timeline import OVER_SHARE, PAUSE, SECOND_SHARE, VISIBLE, WORD_SHARE, TimelineMixer
from tests.helpers.distributions import assert_share, assert_uniform_between
from tests.helpers.fake_recordings import RATE, tone

BEGIN, END = 6000, 10_000  # of the word in each clip
ROWS = [np.array([0, 1]), np.array([2])]
EXTENTS = np.tile([BEGIN, END], (3, 1))
SPEECH = Spans(np.array([3 * RATE]), np.array([4 * RATE]), np.array([1000.0]))
N = 4000


@pytest.fixture(params=[0.0, 0.2])
def windows(request):
    options = {"unknown": SPEECH, "timeline": 1.0, "extents": EXTENTS}
    return TimelineMixer(ROWS, k=(0, 1), speeds=[request.param] * 2, **options).draw(N, np.random.default_rng(0))


def assert_rounded_uniform(draws, low, high, by):
    """As assert_uniform_between, for draws that are rounded, because offsets are whole samples."""
    assert low - by <= draws.min() and draws.max() <= high + by
    assert_uniform_between(draws.clip(low, high), low, high)


def extent(windows, column):
    """Where the word in a column begins and ends in the window."""
    middle, speed = RATE / 2 + windows.offsets[:, column], windows.speeds[:, column]
    return middle + (BEGIN - RATE / 2) / speed, middle + (END - RATE / 2) / speed


def test_a_word_is_anywhere_inside_and_at_most_half_of_another_that_does_not_count(windows):
    has_word = windows.targets.any(axis=1)
    assert_share(has_word, WORD_SHARE)
    assert np.array_equal(has_word, windows.gains[:, 0] > 0) and set(windows.targets.ravel()) == {0, 1}
    begin, end = (each[has_word] for each in extent(windows, 0))
    assert_rounded_uniform(begin / (RATE - end + begin), 0, 1, by=0.001)
    begin, end = extent(windows, 3)
    inside = (end.clip(0, RATE) - begin.clip(0, RATE)) / (end - begin)
    assert_rounded_uniform(inside, *VISIBLE, by=0.001)


def test_two_words_are_inside():
    mixer = TimelineMixer([*ROWS, np.array([0])], k=(0, 2), unknown=SPEECH, timeline=1.0, extents=EXTENTS)
    windows = mixer.draw(N, np.random.default_rng(0))
    two = (windows.targets == 0.5).sum(axis=1) == 2
    assert_share(two[windows.targets.any(axis=1)], SECOND_SHARE * 2 / 3)  # two draws of three classes differ
    assert (windows.gains[two][:, [0, 3]] > 0).all() and (windows.targets[~two].max(axis=1) % 1 == 0).all()
    begin, end = (each[two] for each in extent(windows, 3))
    assert_rounded_uniform(begin / (RATE - end + begin), 0, 1, by=0.001)


def test_speech_is_beside_the_word_or_below_it(windows):
    has_word = windows.targets.any(axis=1)
    begin, end = extent(windows, 0)
    length = RATE / windows.speeds
    start = (RATE - length) / 2 + windows.offsets
    beside = has_word & (windows.gains[:, 2] > 0)
    assert (windows.starts[:, 1:3] >= 3 * RATE).all()
    gap = (start[:, 2] - end)[beside]
    assert_rounded_uniform(gap, 0, PAUSE, by=2)
    over = has_word & (windows.offsets[:, 1] == 0)
    assert_share(over[has_word], OVER_SHARE)
    before = has_word & ~over & (windows.gains[:, 1] > 0)
    assert_rounded_uniform((begin - start[:, 1] - length[:, 1])[before], 0, PAUSE, by=2)


def test_windows_are_a_share_of_the_mixtures_and_are_rendered():
    words = np.stack([np.round(tone(200 + 50 * i) * 32_000) for i in range(7)]).astype(np.int16)
    mixer = TimelineMixer(ROWS, k=(0, 2), unknown_share=0.25, timeline=0.3, extents=EXTENTS)
    mixtures = mixer.draw(N, np.random.default_rng(0))
    window = (mixtures.gains[:, 2:] > 0).any(axis=1) | (np.abs(mixtures.offsets) > 1600).any(axis=1)
    assert_share(window, 0.3)
    assert (mixtures.starts < 3 * RATE).all()  # without other speech, words are played backward
    waveforms = render(words, mixtures, np.arange(64)).numpy()
    assert waveforms.shape == (64, RATE) and np.isfinite(waveforms).all()
    silent = ~(mixtures.gains[:64] > 0).any(axis=1)
    assert np.array_equal(np.abs(waveforms).max(axis=1) == 0, silent)
