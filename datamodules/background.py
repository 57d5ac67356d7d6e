"""Background for mixtures: noise and other sounds, in clips of one second."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch

from datamodules.audio_files import existing_folder, walk_recordings
from datamodules.noise import colored_noise
from datamodules.recordings import read_blocks, read_seconds
from datamodules.waveforms import NUM_SAMPLES, SAMPLE_RATE, to_int16
from overlapped_words.errors import DataError

NUM_NOISES = 1_000  # generated clips, 32 MB
MAX_SECONDS = 36_000  # of all recordings; 1.2 GB


@dataclass(frozen=True)
class GeneratedNoise:
    """White to brown noise: its power falls with frequency as f^-a, with a uniform between 0 and 2.

    `key` identifies the content; `clips` yields chunks `(B, 16000)` int16.
    """

    seed: int = 0
    key = "noise"

    def __len__(self) -> int:
        return NUM_NOISES

    def clips(self) -> Iterator[np.ndarray]:
        generator = torch.Generator().manual_seed(self.seed)
        exponents = 2 * torch.rand(NUM_NOISES, 1, generator=generator)
        for chunk in exponents.split(100):
            noise = colored_noise(chunk, NUM_SAMPLES, generator)
            yield to_int16((0.9 * noise / noise.abs().amax(dim=1, keepdim=True)).numpy())

    def share(self, start: float, end: float) -> np.ndarray:
        """The indices of a share of the clips, from `start` to `end` in [0, 1]."""
        return np.arange(round(start * NUM_NOISES), round(end * NUM_NOISES))


class BackgroundFolder:
    """The recordings in a folder and its subfolders, each cut into clips of one second.

    Its interface is that of GeneratedNoise. A share is taken from each recording, so every kind of sound is in every
    split, but no second of it is in two.

    Raises:
        DataError: no recordings, more than ten hours of them, or a recording that cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self.paths = walk_recordings(folder)
        if not self.paths:
            raise DataError(f"{folder}: contains no recordings; add recordings of noise and other sounds")
        seconds = [read_seconds(path) for path in self.paths]
        if sum(seconds) > MAX_SECONDS:
            raise DataError(f"{folder}: contains {sum(seconds) / 3600:.0f} hours of recordings; use at most 10 hours")
        self.counts = [max(1, math.floor(length)) for length in seconds]
        self.key = list(self.paths)

    def __len__(self) -> int:
        return sum(self.counts)

    def clips(self) -> Iterator[np.ndarray]:
        for path, count in zip(self.paths, self.counts, strict=True):
            waveform = np.concatenate(list(islice(read_blocks(path, SAMPLE_RATE, seconds=60), math.ceil(count / 60))))
            waveform = np.resize(waveform, count * NUM_SAMPLES)  # repeats a recording shorter than a second
            yield to_int16(waveform.reshape(count, NUM_SAMPLES))

    def share(self, start: float, end: float) -> np.ndarray:
        firsts = np.cumsum([0, *self.counts[:-1]])
        shares = ((round(start * count), round(end * count)) for count in self.counts)
        return np.concatenate([first + np.arange(*share) for first, share in zip(firsts, shares, strict=True)])


Background = GeneratedNoise | BackgroundFolder


def find_background(folder: Path | None, root: Path, needed: bool) -> Background | None:
    """The recordings in `folder`; if it is None and background is needed, those in `root/_background_noise_` or noise.

    Raises:
        DataError: as BackgroundFolder, or no such folder.
    """
    if folder is not None:
        return BackgroundFolder(existing_folder(folder, "set data.background to a folder with recordings of noise"))
    if not needed:
        return None
    own = root / "_background_noise_"
    return BackgroundFolder(own) if own.is_dir() else GeneratedNoise()


def background_rows(background: Background | None, split: str, val: float, test: float) -> np.ndarray:
    """The indices of the clips of a split: `val` and `test` are the fractions of these, train has the rest."""
    bounds = {"train": (0.0, 1 - val - test), "val": (1 - val - test, 1 - test), "test": (1 - test, 1.0)}
    return background.share(*bounds[split]) if background else np.zeros(0, np.int64)
