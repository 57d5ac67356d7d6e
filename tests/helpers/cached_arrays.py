"""A small array for the cache to build."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from datamodules.cache import cached_array

VALUES = np.arange(600, dtype=np.int16).reshape(30, 20)


class Build:
    """Yields chunks of an array and counts its calls."""

    def __init__(self, values: np.ndarray = VALUES, chunk: int = 7) -> None:
        self.values, self.chunk, self.count = values, chunk, 0

    def __call__(self) -> Iterator[np.ndarray]:
        self.count += 1
        for start in range(0, len(self.values), self.chunk):
            yield self.values[start : start + self.chunk]


def ask(path: Path, build: Build) -> np.ndarray:
    return cached_array(path, VALUES.shape, np.int16, build, "test")
