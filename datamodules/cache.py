"""On-disk arrays: built once, however many processes ask, published whole and opened read-only as memory maps."""

import hashlib
import json
import logging
import math
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np
from filelock import FileLock

from datamodules.progress import Progress
from errors import DISK_FULL, CacheError
from messages import no_room

log = logging.getLogger(__name__)

FORMAT_VERSION = 3  # part of every key: raise it when the same inputs would give other numbers


def cache_key(*parts: Any) -> str:
    """A short hash of plain values, of files (path, size and time of change) and of the format's version."""
    text = json.dumps([FORMAT_VERSION, *parts], sort_keys=True, default=_fingerprint)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _fingerprint(path: Path) -> list[str | int]:
    stat = path.stat()
    return [str(path.resolve()), stat.st_size, stat.st_mtime_ns]


def cached_array(
    path: Path,
    shape: Sequence[int],
    dtype: type,
    build: Callable[[], Iterable[np.ndarray]],
    description: str,
) -> np.ndarray:
    """The array at `path` (.npy), memory-mapped and read-only; where it is missing or damaged, built first.

    `build` yields chunks along the first axis. They go to a temporary file that is renamed when it is whole, under
    a lock, so a reader never sees half an array and of several processes one builds while the others wait.

    Raises:
        CacheError: no room, or no permission to write.
    """
    try:
        array = _open(path, shape, dtype)
        if array is not None:
            return array
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock")):
            array = _open(path, shape, dtype)  # another process may have built it while this one waited
            if array is None:
                if path.exists():
                    log.warning("%s is cut short or of another layout: building it again", path)
                _write(path, shape, dtype, build(), description)
                array = _open(path, shape, dtype)
    except OSError as error:
        raise cannot_write(path, math.prod(shape) * np.dtype(dtype).itemsize, error) from error
    assert array is not None
    return array


def cannot_write(path: Path, size: int, error: OSError) -> CacheError:
    """What is wrong, and what to do, where a file or folder of `size` bytes cannot be put into the cache."""
    if error.errno in DISK_FULL:
        return CacheError(f"{no_room(path, size)}, or choose another folder with data.cache_dir")
    remedy = "change its permissions or choose another folder with data.cache_dir"
    return CacheError(f"{path.parent}: cannot write the cache ({error.strerror or error}); {remedy}")


def _open(path: Path, shape: Sequence[int], dtype: type) -> np.ndarray | None:
    try:
        array = np.lib.format.open_memmap(path, mode="r")
    except (FileNotFoundError, ValueError, TokenError):  # missing, shorter than its header says, or no header at all
        return None
    return array if array.shape == tuple(shape) and array.dtype == dtype else None


def _write(path: Path, shape: Sequence[int], dtype: type, chunks: Iterable[np.ndarray], description: str) -> None:
    log.info("%s: %d clips to %s", description, shape[0], path)
    temporary = path.with_suffix(".tmp")
    try:
        with open(temporary, "wb") as file:
            header = {"descr": np.dtype(dtype).str, "fortran_order": False, "shape": tuple(shape)}
            np.lib.format.write_array_header_1_0(file, header)
            # Ask for the room at once: a full disk is found now, not after an hour of work.
            size = file.tell() + int(np.prod(shape)) * np.dtype(dtype).itemsize
            if size > file.tell() and hasattr(os, "posix_fallocate"):  # a Mac has none
                os.posix_fallocate(file.fileno(), 0, size)
            with Progress(shape[0], description) as progress:
                for chunk in chunks:
                    file.write(np.ascontiguousarray(chunk, dtype).data)
                    progress.update(len(chunk))
            if file.tell() != size:
                raise ValueError(f"{path}: built {file.tell()} bytes of {size}")
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
