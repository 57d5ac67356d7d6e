"""Resample waveforms."""

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np

from overlapped_words.errors import DataError

RATES = range(1_000, 768_001)  # Hz, sample rates that are accepted
# Taps of the filter between two rates: 80 thousand from 44100 Hz to 16 kHz, but 44 million (1.4 GB while it is
# computed) from 11026 Hz.
MAX_TAPS = 1 << 24


@lru_cache(maxsize=8)
def _resampler(rate: int, sample_rate: int) -> Callable[[np.ndarray], np.ndarray]:
    import torch  # takes seconds; a missing recording should be reported before that
    from torchaudio.transforms import Resample

    transform = Resample(rate, sample_rate)
    return lambda waveform: transform(torch.from_numpy(waveform)).numpy()


def check_rate(rate: int, sample_rate: int) -> None:
    """Check that audio at `rate` Hz can be resampled to `sample_rate` Hz.

    Raises:
        DataError: the rate is out of range, or the filter would take too much memory.
    """
    if rate not in RATES or rate * sample_rate // math.gcd(rate, sample_rate) ** 2 > MAX_TAPS:
        raise DataError(
            f"cannot resample from {rate} Hz to {sample_rate} Hz; convert to a common rate first, such as 48000 Hz"
        )


def resample(waveform: np.ndarray, rate: int, sample_rate: int) -> np.ndarray:
    """`(..., T)` float32 at `rate` Hz -> the same at `sample_rate` Hz; raises what `check_rate` raises."""
    check_rate(rate, sample_rate)
    if rate == sample_rate:
        return waveform
    return _resampler(rate, sample_rate)(waveform)
