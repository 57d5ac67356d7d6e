"""Build an array of the cache in a process of its own.

python -m tests.helpers.build_array PATH
python -m tests.helpers.build_array PATH --pause 60       # seconds in the middle of the build
python -m tests.helpers.build_array PATH --limit 700      # bytes that a file may have
python -m tests.helpers.build_array PATH --no-fallocate   # as on macOS
"""

import argparse
import os
import resource
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from overlapped_words.errors import CacheError
from tests.helpers.cached_arrays import VALUES, Build, ask


class SlowBuild(Build):
    """Prints that it builds, and pauses after the first chunk."""

    def __init__(self, pause: float) -> None:
        super().__init__(chunk=10)
        self.pause = pause

    def __call__(self) -> Iterator[np.ndarray]:
        print("building", flush=True)
        for number, chunk in enumerate(super().__call__()):
            if number == 1:
                time.sleep(self.pause)
            yield chunk


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("path", type=Path)
    parser.add_argument("--pause", type=float, default=0.0)
    parser.add_argument("--limit", type=int)
    parser.add_argument("--no-fallocate", action="store_true")
    options = parser.parse_args()
    if options.limit:
        resource.setrlimit(resource.RLIMIT_FSIZE, (options.limit, options.limit))
    if options.no_fallocate:
        del os.posix_fallocate
    print("started", flush=True)
    try:
        assert np.array_equal(ask(options.path, SlowBuild(options.pause)), VALUES)
        print("done")
    except CacheError as error:
        print(error)


if __name__ == "__main__":
    main()
