"""Atomic file writing: a reader sees the old content or the new content, never part of a file."""

import os
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryFile
from uuid import uuid4

from overlapped_words.errors import RunError, SettingError

TEMPORARY = f".*.{'[0-9a-f]' * 32}.tmp"  # glob of the names of temporary files


def check_writable(path: Path) -> None:
    """Check that files can be created in the folder `path`, or beside the file `path`, before minutes of work.

    Raises:
        SettingError: they cannot.
    """
    try:
        TemporaryFile(dir=path if path.is_dir() else path.parent).close()
    except OSError as error:
        raise SettingError(f"{path}: cannot be written ({error.strerror}); create its folder, or set output") from error


def write_text(path: Path, text: str) -> None:
    """Replace one file, as `write_files` does."""
    write_files({path: text.encode()})


def write_bytes(path: Path, content: bytes | memoryview) -> None:
    """Replace one file, as `write_files` does."""
    write_files({path: content})


def write_files(contents: Mapping[Path, bytes | memoryview]) -> None:
    """Write all files under temporary names, then rename them. An error leaves the old files unchanged.

    Raises:
        RunError: the disk is full, or a folder cannot be written.
    """
    # Random names: containers that share a folder may reuse process ids, and a predictable name could be a link that
    # someone else put there.
    temporary = {path: path.with_name(f".{path.name}.{uuid4().hex}.tmp") for path in contents}
    path = Path()
    try:
        try:
            for path, content in contents.items():
                temporary[path].write_bytes(content)
            for path in contents:
                os.replace(temporary[path], path)
        finally:
            for file in temporary.values():
                file.unlink(missing_ok=True)
    except OSError as error:
        raise RunError(f"{path}: cannot be written ({error.strerror}); check its folder and the disk") from error
