"""Cut a long recording into overlapping windows, each as long as a clip."""

from collections.abc import Iterable, Iterator

import numpy as np

from datamodules.recordings import fit_length


def cut_windows(blocks: Iterable[np.ndarray], num_samples: int, hop: int) -> Iterator[tuple[int, int, np.ndarray]]:
    """Blocks `(T,)` of one recording, in order -> (first sample, end, samples `(num_samples,)`) of each window.

    Windows start every `hop` samples, and an additional one ends with the recording. A recording shorter than
    `num_samples` gives one window, padded with zeros as in training. Keeps at most one block in memory.
    """
    buffer, offset = np.zeros(0, np.float32), 0  # samples that later windows may need, and the position of the first
    start = end = 0  # start of the next window, end of the previous one
    for block in blocks:
        buffer = np.concatenate([buffer, block])
        while start + num_samples <= offset + len(buffer):
            end = start + num_samples
            yield start, end, buffer[start - offset : end - offset]
            start += hop
        # Keep num_samples at least: the last window may reach back before `start`.
        used = max(0, min(start - offset, len(buffer) - num_samples))
        buffer, offset = buffer[used:], offset + used
    length = offset + len(buffer)
    if end == 0:
        yield 0, length, fit_length(buffer, num_samples)
    elif end < length:
        yield length - num_samples, length, buffer[-num_samples:]
