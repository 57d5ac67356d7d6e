"""The cache: arrays and folders on disk, built once under a lock, and the hashes of what they are made of."""

import hashlib
import json
import logging
import math
import os
import shutil
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from tokenize import TokenError
from typing import Any, TypeVar

import numpy as np
from filelock import FileLock

from datamodules.progress import Progress
from overlapped_words.errors import CacheError

log = logging.getLogger(__name__)

T = TypeVar("T")

FORMAT_VERSION = 3  # part of every key; increase it when the same inputs give different values


def cache_key(*parts: Any) -> str:
    """A short hash of plain values, arrays, files (path, size and modification time) and the format version."""
    text = json.dumps([FORMAT_VERSION, *parts], sort_keys=True, default=_content)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def fingerprint(rows: Iterable[Sequence[Any]]) -> str:
    """A short hash of what a split is made of: rows of plain values, in any order.

    It is the same for copies elsewhere: give names without folders, and checksums of samples, but no times. Unicode is
    composed, because systems differ in file names.
    """
    lines = sorted(unicodedata.normalize("NFC", json.dumps(row, ensure_ascii=False)) for row in rows)
    return hashlib.sha256("\n".join(lines).encode(errors="surrogateescape")).hexdigest()[:16]


def _content(value: Path | np.ndarray) -> list:
    if isinstance(value, np.ndarray):
        return value.tolist()
    stat = value.stat()
    return [str(value.resolve()), stat.st_size, stat.st_mtime_ns]


def cached_array(
    path: Path | None,
    shape: Sequence[int],
    dtype: type,
    build: Callable[[], Iterable[np.ndarray]],
    description: str,
) -> np.ndarray:
    """Open the array at `path` (.npy) as a read-only memory map; build it first if it is missing or damaged.

    Args:
        path: the file; None builds the array in memory.
        shape, dtype: of the array; a file that differs is rebuilt.
        build: yields chunks of the array along the first axis.
        description: what is built, for the log and the progress bar.

    Raises:
        CacheError: the disk is full, or the folder is not writable.
    """
    if path is None:
        return np.concatenate([np.empty((0, *shape[1:]), dtype), *build()], dtype=dtype)

    def find() -> np.ndarray | None:
        try:
            array = np.lib.format.open_memmap(path, mode="r")
        except (FileNotFoundError, ValueError, TokenError):  # missing, truncated, or without a valid header
            return None
        return array if array.shape == tuple(shape) and array.dtype == dtype else None

    def write(temporary: Path) -> None:
        if path.exists():
            log.warning("%s is truncated or has a different layout; rebuilding", path)
        log.info("%s: %d clips to %s", description, shape[0], path)
        _write(temporary, shape, dtype, build(), description)

    return build_once(path, find, write)


def build_once(path: Path, find: Callable[[], T | None], build: Callable[[Path], None]) -> T:
    """Return what `find` returns; if that is None, build the file or folder at `path` first.

    It is built at a temporary path under a lock and then renamed: a reader never sees a part of it, and if several
    processes need it, one builds it and the others wait.

    Args:
        build: writes to the temporary path.

    Raises:
        CacheError: the disk is full, or the folder is not writable.
    """
    temporary = path.with_suffix(".tmp")
    try:
        if (found := find()) is not None:
            return found
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock")):
            if (found := find()) is None:  # another process may have built it while this one waited
                try:
                    shutil.rmtree(temporary, ignore_errors=True)  # left by a process that was killed
                    build(temporary)
                    os.replace(temporary, path)
                finally:
                    shutil.rmtree(temporary, ignore_errors=True)
                    temporary.unlink(missing_ok=True)
                found = find()
    except OSError as error:
        fault = f"{path.parent}: cannot write the cache ({error.strerror or error})"
        raise CacheError(f"{fault}; free some space, or choose another folder with data.cache_dir") from error
    assert found is not None
    return found


def _write(path: Path, shape: Sequence[int], dtype: type, chunks: Iterable[np.ndarray], description: str) -> None:
    with open(path, "wb") as file:
        header = {"descr": np.dtype(dtype).str, "fortran_order": False, "shape": tuple(shape)}
        np.lib.format.write_array_header_1_0(file, header)
        # Allocate the file first: a full disk is found now, not after an hour of work.
        size = file.tell() + math.prod(shape) * np.dtype(dtype).itemsize
        if size > file.tell() and hasattr(os, "posix_fallocate"):  # not on macOS
            os.posix_fallocate(file.fileno(), 0, size)
        with Progress(shape[0], description) as progress:
            for chunk in chunks:
                file.write(np.ascontiguousarray(chunk, dtype).data)
                progress.update(len(chunk))
        if file.tell() != size:
            raise ValueError(f"{path}: built {file.tell()} bytes of {size}")
