"""A small array for the cache to build, here or in a process of its own.

python -m tests.helpers.build_array PATH [--pause SECONDS] [--limit BYTES] [--no-fallocate]
"""

import argparse
import os
import resource
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from datamodules.cache import cached_array
from overlapped_words.errors import CacheError

VALUES = np.arange(600, dtype=np.int16).reshape(30, 20)


class Build:
    """Yields an array in chunks, with a pause in the middle, and counts its calls."""

    def __init__(self, values: np.ndarray = VALUES, pause: float = 0) -> None:
        self.values, self.pause, self.count = values, pause, 0

    def __call__(self) -> Iterator[np.ndarray]:
        self.count += 1
        yield self.values[:7]
        time.sleep(self.pause)
        yield self.values[7:]


def ask(path: Path, build: Build) -> np.ndarray:
    return cached_array(path, VALUES.shape, np.int16, build, "test")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("path", type=Path)
    parser.add_argument("--pause", type=float, default=0.0, help="in the middle of the build")
    parser.add_argument("--limit", type=int, help="the bytes that a file may have")
    parser.add_argument("--no-fallocate", action="store_true", help="as on macOS")
    options = parser.parse_args()
    if options.limit:
        resource.setrlimit(resource.RLIMIT_FSIZE, (options.limit, options.limit))
    if options.no_fallocate:
        del os.posix_fallocate
    print("started", flush=True)
    build = Build(pause=options.pause)
    try:
        assert np.array_equal(ask(options.path, build), VALUES)
        print("built" if build.count else "found")
    except CacheError as error:
        print(error)


if __name__ == "__main__":
    main()
