"""A long recording as windows that overlap, each as long as a clip."""

from collections.abc import Iterable, Iterator

import numpy as np

from datamodules.recordings import fit_length
from errors import DataError


def check_hop(hop: float) -> None:
    """Whether `hop` seconds are a step from one window of a second to the next.

    Raises:
        DataError: they are not.
    """
    if not 0.01 <= hop <= 1:
        raise DataError(f"hop is {hop!r}; give the seconds from one window to the next, from 0.01 to 1, e.g. hop=0.25")


def cut_windows(blocks: Iterable[np.ndarray], num_samples: int, hop: int) -> Iterator[tuple[int, int, np.ndarray]]:
    """Blocks `(T,)` of one recording, in order -> of each window the first sample, the end and the samples.

    One begins every `hop` samples, and one more ends where the recording ends; no more than a block is held. What is
    shorter than `num_samples` is one window with zeros around it, as in the training.
    """
    held, at = np.zeros(0, np.float32), 0  # samples that windows to come may need, and where the first of them was
    start = end = 0  # of the next window, and of the last one
    for block in blocks:
        held = np.concatenate([held, block])
        while start + num_samples <= at + len(held):
            end = start + num_samples
            yield start, end, held[start - at : end - at]
            start += hop
        gone = max(0, min(start - at, len(held) - num_samples))
        held, at = held[gone:], at + gone
    if end == 0:
        yield 0, len(held), fit_length(held, num_samples)
    elif end < at + len(held):
        yield at + len(held) - num_samples, at + len(held), held[-num_samples:]
