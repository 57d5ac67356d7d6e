"""Recordings and background as one array in the cache."""

from collections.abc import Sequence
from itertools import chain
from pathlib import Path

import numpy as np

from datamodules.background import Background
from datamodules.cache import cache_key, cached_array
from datamodules.recordings import read_clips
from datamodules.waveforms import NUM_SAMPLES, SAMPLE_RATE
from overlapped_words.errors import DataError


def cached_waveforms(
    paths: Sequence[Path], cache_dir: Path | None, description: str, background: Background | None = None
) -> tuple[np.ndarray, str]:
    """Recordings, then background clips -> `(N, 16000)` int16 from the cache, and their cache key.

    Without `cache_dir`, they are read into memory.
    """
    keys, size = ([background.key], sum(background.counts)) if background else ([], 0)
    try:
        key = cache_key("waveforms", SAMPLE_RATE, NUM_SAMPLES, list(paths), *keys)
    except FileNotFoundError as error:
        raise DataError(f"{error.filename}: broken symbolic link; restore its target or remove it") from error
    array = cached_array(
        cache_dir and cache_dir / f"waveforms-{key}.npy",
        (len(paths) + size, NUM_SAMPLES),
        np.int16,
        lambda: chain(read_clips(paths, SAMPLE_RATE, NUM_SAMPLES), background.clips() if background else ()),
        description,
    )
    return array, key
