"""Long recordings in blocks: windows, and that blocks do not change samples."""

from itertools import chain

import numpy as np
import pytest

from datamodules.recordings import read_blocks, read_recording
from overlapped_words.inference.listening import cut_windows
from tests.helpers.fake_recordings import RATE, speech, write


def blocks_of(waveform: np.ndarray, size: int) -> list[np.ndarray]:
    return [waveform[start : start + size] for start in range(0, len(waveform), size)]


@pytest.mark.parametrize(
    ("length", "starts"),
    [
        (100, [0]),
        (101, [0, 1]),
        (125, [0, 25]),
        (130, [0, 25, 30]),  # an additional window ends with the recording
        (399, [*range(0, 300, 25), 299]),
    ],
)
@pytest.mark.parametrize("size", [7, 100, 1000])
def test_windows_start_every_hop_and_the_last_reaches_the_end(length, starts, size):
    waveform = np.arange(length, dtype=np.float32)
    windows = list(chain.from_iterable(cut_windows(blocks_of(waveform, size), 100, 25)))
    assert [start for start, _, _ in windows] == starts
    assert windows[-1][1] == length
    for start, end, window in windows:
        assert end == start + 100 and np.array_equal(window, waveform[start:end])


def test_at_most_one_block_is_kept():
    read = []

    def blocks():
        for i in range(10):
            read.append(i)
            yield np.zeros(1000, np.float32)

    for start, _, window in chain.from_iterable(cut_windows(blocks(), 100, 25)):
        assert len(read) <= start // 1000 + 2
        assert len(window) == 100 and len(window.base) <= 1100


@pytest.mark.parametrize("rate", [RATE, 11_025, 48_000])
@pytest.mark.parametrize("seconds", [0.4, 2, 4.7])
def test_blocks_add_up_to_the_recording(tmp_path, rate, seconds):
    path = write(tmp_path / "a.wav", np.stack([speech(i, seconds, rate) for i in range(2)], axis=1), rate)
    whole = read_recording(path)
    blocks = list(read_blocks(path, seconds=2))
    assert [len(block) for block in blocks[:-1]] == [2 * RATE] * (len(blocks) - 1)
    assert len(blocks) == -(-len(whole) // (2 * RATE))
    np.testing.assert_allclose(np.concatenate(blocks), whole, atol=1e-6)
