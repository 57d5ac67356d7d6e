"""Figures made with the notebook's own code, and the inputs they belong to."""

from pathlib import Path

import numpy as np

GOLDEN = np.load(Path(__file__).parents[1] / "golden.npz")  # of the chirp's features every eighth frame
SHARED = Path(__file__).parents[3] / "shared"  # the full figures and real speech, where a checkout has them beside it


def chirp() -> np.ndarray:
    """One second that glides from 100 to 6900 Hz and swells, `(16000,)` float32."""
    t = np.arange(16_000) / 16_000
    return (0.5 * np.sin(2 * np.pi * (100 * t + 3400 * t**2)) * np.hanning(16_000)).astype(np.float32)
