"""The size of a clip, and conversion between float and 16-bit samples."""

from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

if TYPE_CHECKING:  # torch takes seconds to import, and recordings are read without it
    from torch import Tensor

    Samples = TypeVar("Samples", np.ndarray, Tensor)

SAMPLE_RATE = 16_000  # Hz
NUM_SAMPLES = 16_000  # of a clip: one second
FULL_SCALE = 32_768
STEP: Any = np.float32(1 / FULL_SCALE)  # exact; with a Python float, NumPy would return float64


def to_int16(waveform: np.ndarray) -> np.ndarray:
    """Float in [-1, 1] -> int16; exactly inverse to `from_int16`."""
    return np.clip(np.round(waveform * FULL_SCALE), -FULL_SCALE, FULL_SCALE - 1).astype(np.int16)


def from_int16(samples: "Samples") -> "Samples":
    """int16 array or tensor -> float32 in [-1, 1)."""
    return samples * STEP
