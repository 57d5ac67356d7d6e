"""The sound of a clip and what the network sees of it, small enough to be part of a page."""

from base64 import b64encode
from dataclasses import dataclass
from io import BytesIO

import numpy as np
import soundfile
import torch
from matplotlib.image import imsave

from datamodules.features import MultiResolutionMel
from datamodules.recordings import SAMPLE_RATE

WAVE_COLUMNS = 200


@dataclass(frozen=True)
class Sound:
    """audio, picture: `data:` addresses of a FLAC and of the features; wave: an SVG path in a box of 200 by 2."""

    audio: str
    picture: str
    wave: str


def encode(waveform: np.ndarray, features: MultiResolutionMel) -> Sound:
    """A clip out of the cache, `(T,)` int16, for a page."""
    audio = BytesIO()
    soundfile.write(audio, waveform, SAMPLE_RATE, format="FLAC")
    pictures = features(torch.tensor(waveform[None] / 32768, dtype=torch.float32))[0].numpy()
    # The shortest window shows when, the longest at which pitch; the others lie in between.
    pair = np.concatenate([pictures[0], pictures[-1]], axis=1)
    picture = BytesIO()
    imsave(picture, pair, vmin=-3, vmax=3, cmap="magma", origin="lower", format="webp", pil_kwargs={"quality": 80})
    return Sound(_address("audio/flac", audio), _address("image/webp", picture), _envelope(waveform / 32768))


def _address(kind: str, data: BytesIO) -> str:
    return f"data:{kind};base64,{b64encode(data.getvalue()).decode()}"


def _envelope(waveform: np.ndarray) -> str:
    """`(T,)` in [-1, 1] -> a path along the highest and back along the lowest samples of each of 200 columns."""
    columns = np.array_split(waveform / max(np.abs(waveform).max(), 1e-3), WAVE_COLUMNS)
    upper = [f"{x},{1 - column.max():.3f}" for x, column in enumerate(columns)]
    lower = [f"{x},{1 - column.min():.3f}" for x, column in enumerate(columns)]
    return f"M{'L'.join(upper + lower[::-1])}Z"
