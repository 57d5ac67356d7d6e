"""Values computed by the notebook's own code, their inputs, and how to compare features with them."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

GOLDEN = np.load(Path(__file__).parents[1] / "golden.npz")  # every eighth frame of the chirp's features
SHARED = Path(__file__).parents[3] / "shared"  # optional: the full values and real speech, next to the checkout


def chirp() -> np.ndarray:
    """One second of a sweep from 100 to 6900 Hz under a Hann window, `(16000,)` float32."""
    t = np.arange(16_000) / 16_000
    return (0.5 * np.sin(2 * np.pi * (100 * t + 3400 * t**2)) * np.hanning(16_000)).astype(np.float32)


def max_error(features: Tensor, reference: Tensor) -> float:
    """Largest error in the bands within 90 dB of their frame's loudest; below that, float32 itself differs."""
    decibel = 20 * (reference - torch.linspace(-0.5, 0.5, reference.shape[-2]).view(-1, 1))
    audible = decibel > decibel.amax(dim=-2, keepdim=True) - 90
    return float((features - reference).abs()[audible].max())
