"""Cut a long recording into overlapping windows, each as long as a clip."""

import math
from collections.abc import Iterable, Iterator

import numpy as np

from datamodules.recordings import fit_length
from datamodules.resampling import check_rate, resample

Window = tuple[int, int, np.ndarray]  # first sample, end, samples `(num_samples,)`
CONTEXT = 0.01  # seconds that the resampling filter extends at most


def cut_windows(blocks: Iterable[np.ndarray], num_samples: int, hop: int) -> Iterator[list[Window]]:
    """Blocks `(T,)` of one recording, in order -> after each block, the windows that it completes, and the last one.

    Windows start every `hop` samples, and an additional one ends with the recording. A recording shorter than
    `num_samples` gives one window, padded with zeros as in training. Keeps at most one block in memory.
    """
    buffer, offset = np.zeros(0, np.float32), 0  # samples that later windows may need, and the position of the first
    start = end = 0  # start of the next window, end of the previous one
    for block in blocks:
        buffer = np.concatenate([buffer, block])
        windows = []
        while start + num_samples <= offset + len(buffer):
            end = start + num_samples
            windows.append((start, end, buffer[start - offset : end - offset]))
            start += hop
        yield windows
        # Keep num_samples at least: the last window may reach back before `start`.
        used = max(0, min(start - offset, len(buffer) - num_samples))
        buffer, offset = buffer[used:], offset + used
    length = offset + len(buffer)
    if end == 0:
        yield [(0, length, fit_length(buffer, num_samples))]
    elif end < length:
        yield [(length - num_samples, length, buffer[-num_samples:])]


def resample_blocks(blocks: Iterable[np.ndarray], rate: int, sample_rate: int) -> Iterator[np.ndarray]:
    """Blocks `(T,)` of one waveform at `rate` Hz -> the same at `sample_rate` Hz, 10 to 20 ms later.

    They add up to what `datamodules.resampling.resample` returns for the whole waveform.

    Raises:
        DataError: as `check_rate`.
    """
    check_rate(rate, sample_rate)
    if rate == sample_rate:
        yield from blocks
        return
    divisor = math.gcd(rate, sample_rate)
    step, new_step = rate // divisor, sample_rate // divisor  # the samples of the shortest time that has whole numbers
    context = math.ceil(CONTEXT * rate / step)  # in steps
    buffer = np.zeros(context * step, np.float32)
    for block in blocks:
        buffer = np.concatenate([buffer, block])
        steps = len(buffer) // step - 2 * context
        if steps > 0:
            resampled = resample(buffer[: (steps + 2 * context) * step], rate, sample_rate)
            yield resampled[context * new_step : (context + steps) * new_step]
            buffer = buffer[steps * step :]
    yield resample(buffer, rate, sample_rate)[context * new_step :]
