"""The size of a clip; conversion between float and 16-bit samples, and between sample rates."""

import math
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from overlapped_words.errors import DataError

if TYPE_CHECKING:  # torch takes seconds to import, and recordings are read without it
    from torch import Tensor

    Samples = TypeVar("Samples", np.ndarray, Tensor)

SAMPLE_RATE = 16_000  # Hz
NUM_SAMPLES = 16_000  # of a clip: one second
FULL_SCALE = 32_768
RATES = range(1_000, 768_001)  # Hz, sample rates that are accepted
# Taps of the filter between two rates: 80 thousand from 44100 Hz to 16 kHz, but 44 million (1.4 GB while it is
# computed) from 11026 Hz.
MAX_TAPS = 1 << 24
STEP: Any = np.float32(1 / FULL_SCALE)  # exact; with a Python float, NumPy would return float64


def to_int16(waveform: np.ndarray) -> np.ndarray:
    """Float in [-1, 1] -> int16; exactly inverse to `from_int16`."""
    return np.clip(np.round(waveform * FULL_SCALE), -FULL_SCALE, FULL_SCALE - 1).astype(np.int16)


def from_int16(samples: "Samples") -> "Samples":
    """int16 array or tensor -> float32 in [-1, 1)."""
    return samples * STEP


@lru_cache(maxsize=8)
def _resampler(rate: int, sample_rate: int) -> Callable[[np.ndarray], np.ndarray]:
    import torch
    from torchaudio.transforms import Resample

    transform = Resample(rate, sample_rate)
    return lambda waveform: transform(torch.from_numpy(waveform)).numpy()


def check_rate(rate: int, sample_rate: int) -> None:
    """Raise a DataError if `rate` is out of range, or the filter to `sample_rate` would take too much memory."""
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
