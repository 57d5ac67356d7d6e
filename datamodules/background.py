"""Background for mixtures: noise and other sounds, in clips of one second."""

import math
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import torch

from datamodules.audio_files import existing_folder, walk_recordings
from datamodules.augment import colored_noise
from datamodules.recordings import read_blocks, read_seconds
from datamodules.waveforms import NUM_SAMPLES, SAMPLE_RATE, to_int16
from overlapped_words.errors import DataError

NUM_NOISES = 1_000  # generated clips, 32 MB
MAX_SECONDS = 36_000  # of all recordings; 1.2 GB


class GeneratedNoise:
    """White to brown noise: its power falls with frequency as f^-a, with a uniform between 0 and 2.

    `key` identifies the content, `counts` are the numbers of clips, here of one kind; `clips` yields them in chunks
    `(B, 16000)` int16.
    """

    key, counts = "noise", [NUM_NOISES]

    def clips(self) -> Iterator[np.ndarray]:
        generator = torch.Generator().manual_seed(0)
        exponents = 2 * torch.rand(NUM_NOISES, 1, generator=generator)
        for chunk in exponents.split(100):
            noise = colored_noise(chunk, NUM_SAMPLES, generator)
            yield to_int16((0.9 * noise / noise.abs().amax(dim=1, keepdim=True)).numpy())


class BackgroundFolder:
    """The recordings in a folder and its subfolders, each cut into clips of one second; as GeneratedNoise.

    Raises:
        DataError: no recordings, more than ten hours of them, or a recording that cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self.key = walk_recordings(folder)
        if not self.key:
            raise DataError(f"{folder}: contains no recordings; add recordings of noise and other sounds")
        seconds = [read_seconds(path) for path in self.key]
        if sum(seconds) > MAX_SECONDS:
            raise DataError(f"{folder}: contains {sum(seconds) / 3600:.0f} hours of recordings; use at most 10 hours")
        self.counts = [max(1, math.floor(length)) for length in seconds]

    def clips(self) -> Iterator[np.ndarray]:
        for path, count in zip(self.key, self.counts, strict=True):
            waveform = np.concatenate(list(islice(read_blocks(path, SAMPLE_RATE, seconds=60), math.ceil(count / 60))))
            waveform = np.resize(waveform, count * NUM_SAMPLES)  # repeats a recording shorter than a second
            yield to_int16(waveform.reshape(count, NUM_SAMPLES))


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
    """The indices of the clips of a split: `val` and `test` are the fractions of these, train has the rest.

    They are a share of each recording, so every kind of sound is in every split, but no second of it is in two.
    """
    start, end = {"train": (0.0, 1 - val - test), "val": (1 - val - test, 1 - test), "test": (1 - test, 1.0)}[split]
    rows, first = [np.zeros(0, np.int64)], 0
    for count in background.counts if background else []:
        rows.append(first + np.arange(round(start * count), round(end * count)))
        first += count
    return np.concatenate(rows)
