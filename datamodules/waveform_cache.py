"""Recordings as one array in the cache."""

from collections.abc import Sequence
from itertools import chain
from pathlib import Path

import numpy as np

from datamodules.cache import cache_key, cached_array
from datamodules.long_recordings import OtherSounds
from datamodules.recordings import read_clips
from datamodules.waveforms import NUM_SAMPLES, SAMPLE_RATE
from overlapped_words.errors import DataError


def cached_waveforms(
    paths: Sequence[Path], cache_dir: Path | None, description: str, others: Sequence[OtherSounds] = ()
) -> tuple[np.ndarray, str]:
    """Clips, then the rows of other sounds -> `(N, 16000)` int16 from the cache, and their cache key.

    Without `cache_dir`, they are read into memory.
    """
    num_rows = len(paths) + sum(int(other.num_rows.sum()) for other in others)
    try:
        key = cache_key("waveforms", SAMPLE_RATE, NUM_SAMPLES, list(paths), *(other.key for other in others))
    except FileNotFoundError as error:
        raise DataError(f"{error.filename}: broken symbolic link; restore its target or remove it") from error
    array = cached_array(
        cache_dir and cache_dir / f"waveforms-{key}.npy",
        (num_rows, NUM_SAMPLES),
        np.int16,
        lambda: chain(read_clips(paths, SAMPLE_RATE, NUM_SAMPLES), *(other.rows() for other in others)),
        description,
    )
    return array, key
