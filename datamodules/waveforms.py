"""The size of a clip; conversion between float and 16-bit samples, and between sample rates."""

import math
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from overlapped_words.errors import DataError

if TYPE_CHECKING:  # torch takes seconds to import, and recordings are read without it
    from torch import Tensor
    from torchaudio.transforms import Resample

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
def _resampler(rate: int) -> "Resample":
    from torchaudio.transforms import Resample

    return Resample(rate, SAMPLE_RATE)


def check_rate(rate: int) -> None:
    """Raise a DataError if `rate` is out of range, or the filter to SAMPLE_RATE would take too much memory."""
    if rate not in RATES or rate * SAMPLE_RATE // math.gcd(rate, SAMPLE_RATE) ** 2 > MAX_TAPS:
        raise DataError(
            f"cannot resample from {rate} Hz to {SAMPLE_RATE} Hz; convert to a common rate first, such as 48000 Hz"
        )


def resample(waveform: np.ndarray, rate: int) -> np.ndarray:
    """`(..., T)` float32 at `rate` Hz -> the same at SAMPLE_RATE; raises what `check_rate` raises."""
    check_rate(rate)
    if rate == SAMPLE_RATE:
        return waveform
    import torch

    return _resampler(rate)(torch.from_numpy(waveform)).numpy()
