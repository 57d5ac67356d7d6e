"""Encode a clip's audio, waveform and features for embedding in an HTML page."""

from base64 import b64encode
from dataclasses import dataclass
from io import BytesIO

import numpy as np
import soundfile
import torch
from matplotlib.image import imsave

from datamodules.features import MultiResolutionMel
from datamodules.waveforms import SAMPLE_RATE, from_int16

NUM_COLUMNS = 200  # width of the waveform's view box


@dataclass(frozen=True)
class Audio:
    """One clip as parts of a page.

    Attributes:
        flac: `data:` URL of the samples.
        features: `data:` URL of a WebP image, the features of the shortest and the longest window side by side.
        waveform: SVG path in a view box of 200 x 2.
    """

    flac: str
    features: str
    waveform: str


def encode(waveform: np.ndarray, front_end: MultiResolutionMel) -> Audio:
    """Encode a clip from the cache, int16 `(T,)`."""
    flac, image = BytesIO(), BytesIO()
    soundfile.write(flac, waveform, SAMPLE_RATE, format="FLAC")
    features = front_end(torch.from_numpy(from_int16(waveform[None])))[0].numpy()  # (C, F, T)
    # The shortest window has the best time resolution, the longest the best frequency resolution.
    pair = np.concatenate([features[0], features[-1]], axis=1)
    imsave(image, pair, vmin=-3, vmax=3, cmap="magma", origin="lower", format="webp", pil_kwargs={"quality": 80})
    return Audio(_data_url("audio/flac", flac), _data_url("image/webp", image), _envelope(from_int16(waveform)))


def _data_url(mime_type: str, data: BytesIO) -> str:
    return f"data:{mime_type};base64,{b64encode(data.getvalue()).decode()}"


def _envelope(waveform: np.ndarray) -> str:
    """Draw `(T,)` in [-1, 1], scaled to its peak: along the maximum of each column and back along the minimum."""
    columns = np.array_split(waveform / max(np.abs(waveform).max(), 1e-3), NUM_COLUMNS)
    upper = [f"{x},{1 - column.max():.3f}" for x, column in enumerate(columns)]
    lower = [f"{x},{1 - column.min():.3f}" for x, column in enumerate(columns)]
    return f"M{'L'.join(upper + lower[::-1])}Z"
