"""List recordings in a folder and diagnose files that cannot be read."""

import os
import shlex
from collections.abc import Iterable
from pathlib import Path

import soundfile

from overlapped_words.errors import DataError

EXTENSIONS = {f".{name.lower()}" for name in soundfile.available_formats()} | {".aif", ".aifc", ".oga", ".opus"}
EXTENSIONS -= {".raw"}  # samples without a header, so the rate is unknown

# Formats of phones, browsers and Windows that libsndfile cannot read.
CONVERTIBLE = {".m4a", ".mp4", ".m4b", ".aac", ".webm", ".wma", ".mov", ".mkv", ".mka", ".amr", ".3gp", ".ac3"}
# The same formats under another extension, by their first bytes: MPEG-4, Matroska and WebM, Windows Media, AMR.
CONVERTIBLE_CONTENT = ((4, b"ftyp"), (0, b"\x1a\x45\xdf\xa3"), (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11"), (0, b"#!AMR"))


def existing_folder(folder: Path, remedy: str) -> Path:
    """Return `folder`, or raise DataError with the `remedy` if it does not exist."""
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; {remedy}")
    return folder


def list_recordings(folder: Path) -> list[Path]:
    """Recordings directly in `folder`, sorted by name; hidden files are skipped, extensions match in any case."""
    return [path for path in list_files(folder) if path.suffix.lower() in EXTENSIONS]


def walk_recordings(folder: Path) -> list[Path]:
    """Recordings in `folder` and its subfolders, sorted; hidden files and folders are skipped."""
    recordings = list_recordings(folder)
    for entry in sorted(folder.iterdir()):
        if entry.is_dir() and entry.name[0] != ".":
            recordings += walk_recordings(entry)
    return recordings


def list_files(folder: Path) -> list[Path]:
    """Files directly in `folder`, sorted by name; hidden files are skipped."""
    with os.scandir(folder) as entries:
        return sorted(folder / entry.name for entry in entries if entry.name[0] != "." and not entry.is_dir())


def how_to_convert(paths: Iterable[Path]) -> str:
    """An ffmpeg command for the first file in a format that libsndfile cannot read; empty if there is none."""
    for path in paths:
        if path.suffix.lower() in CONVERTIBLE or _has_convertible_content(path):
            target = path.with_suffix(".flac" if path.suffix.lower() == ".wav" else ".wav")
            return f"ffmpeg -i {shlex.quote(str(path))} {shlex.quote(str(target))}"
    return ""


def diagnose(path: Path, reason: str) -> str:
    """Why a file cannot be read as a recording and what to do; `reason` is libsndfile's message for unknown content."""
    if not path.exists():
        return "no such file; correct the path or remove it"
    if path.is_dir():
        return "a folder, not a recording; list the recordings in it"
    if is_lfs_pointer(path):
        return "a Git LFS pointer, not the recording; fetch it: git lfs pull"
    if _first_bytes(path).lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith((b"<!doctype html", b"<html")):
        return "a web page (HTML), not a recording; replace it with the recording"
    if command := how_to_convert([path]):
        return f"a format that cannot be read; convert it first: {command}"
    return f"cannot be read as audio ({reason}); replace it or remove it"


def is_lfs_pointer(path: Path) -> bool:
    """Whether `path` is a Git LFS pointer, the placeholder of a file that is not fetched yet."""
    return _first_bytes(path).startswith(b"version https://git-lfs.github.com/")


def _has_convertible_content(path: Path) -> bool:
    start = _first_bytes(path)
    return any(start[at:].startswith(content) for at, content in CONVERTIBLE_CONTENT)


def _first_bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(256)
    except OSError:
        return b""
