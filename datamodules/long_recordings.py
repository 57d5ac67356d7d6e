"""What words are mixed with: recordings of other speech, noise and other sounds, of any length; all as one array."""

from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

import numpy as np
import torch

from datamodules.audio_files import existing_folder, walk_recordings
from datamodules.augment import colored_noise
from datamodules.cache import cache_key, cached_array
from datamodules.recordings import check_all_read, fit_length, read_blocks, read_clips, read_seconds
from datamodules.waveforms import NUM_SAMPLES, SAMPLE_RATE, to_int16
from overlapped_words.errors import DataError
from overlapped_words.messages import normalize_name

NUM_NOISES = 1_000  # generated clips, 32 MB
MAX_HOURS = 100  # of all recordings; 11.5 GB


class GeneratedNoise:
    """White to brown noise: its power falls with frequency as f^-a, with a uniform between 0 and 2.

    As LongRecordings, each of one second.
    """

    def __init__(self) -> None:
        self.key, self.names = "noise", [f"noise_{i}" for i in range(NUM_NOISES)]
        self.lengths, self.num_rows = np.full(NUM_NOISES, NUM_SAMPLES), np.ones(NUM_NOISES, np.int64)

    def rows(self) -> Iterator[np.ndarray]:
        generator = torch.Generator().manual_seed(0)
        exponents = 2 * torch.rand(NUM_NOISES, 1, generator=generator)
        for chunk in exponents.split(100):
            noise = colored_noise(chunk, NUM_SAMPLES, generator)
            yield to_int16((0.9 * noise / noise.abs().amax(dim=1, keepdim=True)).numpy())


class LongRecordings:
    """Recordings that are stored whole, each in consecutive rows of one second; there may be none.

    Attributes:
        key: identifies the content, for the cache.
        names: of the n files.
        lengths: `(n,)` in samples; a recording shorter than a second is padded with zeros on both sides.
        num_rows: `(n,)`; the last row of a recording is padded with zeros.

    Raises:
        DataError: more than MAX_HOURS, or a recording that cannot be read.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self.key = self.paths = list(paths)
        self.names = [normalize_name(path.name) for path in paths]
        seconds = np.array([read_seconds(path) for path in paths])
        if seconds.sum() > 3600 * MAX_HOURS:
            raise DataError(
                f"{paths[0]} and the recordings with it last {seconds.sum() / 3600:.0f} hours; use at most {MAX_HOURS}"
            )
        self.lengths = np.maximum((seconds * SAMPLE_RATE).astype(np.int64), NUM_SAMPLES)
        self.num_rows = -(-self.lengths // NUM_SAMPLES)

    def rows(self) -> Iterator[np.ndarray]:
        """Yield the rows `(B, 16000)` int16 of all recordings."""
        errors: dict[Path, str] = {}
        for path, num_rows in zip(self.paths, self.num_rows.tolist(), strict=True):
            missing = num_rows
            try:
                for block in read_blocks(path):
                    padding = 0, -len(block) % NUM_SAMPLES
                    block = fit_length(block) if num_rows == 1 else np.pad(block, padding)
                    rows = to_int16(block.reshape(-1, NUM_SAMPLES)[:missing])
                    missing -= len(rows)
                    yield rows
            except DataError as error:
                errors[path] = str(error)
            yield np.zeros((missing, NUM_SAMPLES), np.int16)  # of a recording shorter than its header says
        check_all_read(errors, len(self.paths))


OtherSounds = GeneratedNoise | LongRecordings


def find_background(folders: Sequence[Path], root: Path, needed: bool) -> OtherSounds:
    """The recordings in `folders`; without any, if background is needed, those in `root/_background_noise_` or noise.

    Raises:
        DataError: as LongRecordings; no such folder, or one without recordings.
    """
    own = root / "_background_noise_"
    if not folders and needed:
        if not own.is_dir():
            return GeneratedNoise()
        folders = [own]
    return find_sounds(folders, "data.background", "noise and other sounds")


def find_sounds(folders: Sequence[Path], setting: str, what: str, without: Sequence[str] = ()) -> LongRecordings:
    """The recordings in the folders of a setting, but for those in subfolders named in `without`.

    Raises what `find_background` raises.
    """
    paths: dict[Path, None] = {}
    for folder in folders:
        existing_folder(folder, f"set {setting} to a folder with recordings of {what}")
        found = [path for path in walk_recordings(folder) if normalize_name(path.parent.name) not in without]
        if not found:
            raise DataError(f"{folder}: contains no recordings of {what}; add some, or remove it from {setting}")
        paths |= dict.fromkeys(found)  # a folder and one in it may both be given
    return LongRecordings(list(paths))


def cached_waveforms(
    paths: Sequence[Path], cache_dir: Path | None, description: str, others: Sequence[OtherSounds] = ()
) -> tuple[np.ndarray, str]:
    """Clips, then the rows of other sounds -> `(N, 16000)` int16 from the cache, and their cache key.

    Without `cache_dir`, they are read into memory.
    """
    num_rows = len(paths) + sum(int(other.num_rows.sum()) for other in others)
    keys = [other.key for other in others if other.key]
    try:
        key = cache_key("waveforms", SAMPLE_RATE, NUM_SAMPLES, list(paths), *keys)
    except FileNotFoundError as error:
        raise DataError(f"{error.filename}: broken symbolic link; restore its target or remove it") from error
    array = cached_array(
        cache_dir and cache_dir / f"waveforms-{key}.npy",
        (num_rows, NUM_SAMPLES),
        np.int16,
        lambda: chain(read_clips(paths), *(other.rows() for other in others)),
        description,
    )
    return array, key
