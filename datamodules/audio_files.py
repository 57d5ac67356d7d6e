"""List the recordings in a folder, say what is skipped, and diagnose files that cannot be read."""

import logging
import os
import re
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import soundfile

from overlapped_words.errors import DataError
from overlapped_words.messages import count, first_names, normalize_name, printable

log = logging.getLogger(__name__)

FFMPEG = shutil.which("ffmpeg")
# Formats of phones, browsers and Windows. libsndfile cannot read them, ffmpeg can.
FFMPEG_EXTENSIONS = {".m4a", ".mp4", ".m4b", ".aac", ".webm", ".wma", ".mov", ".mkv", ".mka", ".amr", ".3gp", ".ac3"}
EXTENSIONS = {f".{name.lower()}" for name in soundfile.available_formats()} | {".aif", ".aifc", ".oga", ".opus"}
EXTENSIONS -= {".raw"}  # samples without a header, so the rate is unknown

HIDDEN_FOLDERS = "@#$~"  # first characters of folders of network drives: @eaDir, #recycle, $RECYCLE.BIN, ~snapshot
RESERVED = re.compile(r"id|words|num_words_\d+|.*;.*")  # columns of tables; the column `words` joins words with ;


def existing_folder(folder: Path, remedy: str) -> Path:
    """Return `folder`, or raise DataError with the `remedy` if it does not exist."""
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; {remedy}")
    return folder


def list_recordings(folder: Path) -> list[Path]:
    """Recordings directly in `folder`, sorted by name; hidden files are skipped, extensions match in any case."""
    return _scan(folder)[0]


def walk_recordings(folder: Path) -> list[Path]:
    """Recordings in `folder` and its subfolders, sorted; hidden ones are skipped. Logs the files that are not read."""
    recordings, others, subfolders = _scan(folder)
    log_skipped(others)
    return recordings + [path for subfolder in subfolders for path in walk_recordings(subfolder)]


def find_recordings(folders: Sequence[Path], remedy: str) -> list[Path]:
    """Recordings directly in `folders`, in order. Logs the files and subfolders that are not read.

    Raises:
        DataError: a folder without recordings; states what it contains instead, and the `remedy`.
    """
    recordings, others, subfolders = [], [], []
    for folder in folders:
        here, others_here, subfolders_here = _scan(folder)
        if not here:
            names = first_names([*(path.name for path in others_here), *(f"{path.name}/" for path in subfolders_here)])
            content = f", only {names}" if others_here or subfolders_here else ""
            raise DataError(f"{folder}: contains no recordings{content}; {use_ffmpeg(others_here) or remedy}")
        recordings += here
        others += others_here
        subfolders += subfolders_here
    log_skipped(others, subfolders)
    return recordings


def find_words(root: Path, remedy: str) -> tuple[list[str], list[Path], np.ndarray]:
    """The words of a word folder, the paths of all recordings, and the word index of each recording `(N,)`.

    Raises:
        DataError: no words, a word without recordings, a name that cannot be used, or two folders for one word.
    """
    folders: dict[str, Path] = {}
    for folder in _scan(existing_folder(root, remedy))[2]:
        if folder.name[0] != "_":  # such as _background_noise_
            other = folders.setdefault(normalize_name(folder.name), folder)
            if other != folder:
                raise DataError(f"{folder}: the same word as {other.name!a}; move the recordings into one folder")
    if not folders:
        raise DataError(f"{root}: contains no recordings in subfolders; add one subfolder per word")
    check_words(folders, root)
    if beside := list_recordings(root):
        log.warning("%s beside the words' folders skipped: %s", count(len(beside), "recording"), _first_names(beside))
    names = sorted(folders)
    paths = find_recordings([folders[name] for name in names], "add some or remove the folder")
    return names, paths, np.array([names.index(normalize_name(path.parent.name)) for path in paths])


def check_words(words: Iterable[str], where: Path | str) -> None:
    """Raise DataError if a word has the name of a column in tables of predictions; `where` names the words' source."""
    for word in words:
        if RESERVED.fullmatch(word):
            columns = "tables have the columns id, words and num_words_0, and a semicolon between words"
            raise DataError(f"{where}: a word is named {word}, but {columns}; give the word another name")


def log_skipped(files: Sequence[Path], subfolders: Sequence[Path] = ()) -> None:
    """Log the files and subfolders that are not read, up to three of each, and whether ffmpeg would read them."""
    if files:
        remedy = printable(f"; {text}") if (text := use_ffmpeg(files)) else ""
        log.warning("%s skipped: %s%s", count(len(files), "file"), _first_names(files), remedy)
    if subfolders:
        log.warning("%s not searched: %s", count(len(subfolders), "subfolder"), _first_names(subfolders))


def _first_names(paths: Iterable[Path]) -> str:
    return first_names(f"{path.parent.name}/{path.name}" for path in paths)


def _scan(folder: Path) -> tuple[list[Path], list[Path], list[Path]]:
    """Recordings, other files and subfolders of `folder`, sorted by name, without hidden ones."""
    extensions = EXTENSIONS | FFMPEG_EXTENSIONS if FFMPEG else EXTENSIONS
    with os.scandir(folder) as found:
        entries = [entry for entry in found if entry.name[0] != "."]
    folders = [entry for entry in entries if entry.is_dir() and entry.name[0] not in HIDDEN_FOLDERS]
    subfolders = sorted(folder / entry.name for entry in folders)
    files = sorted(folder / entry.name for entry in entries if not entry.is_dir())
    recordings = [path for path in files if path.suffix.lower() in extensions]
    return recordings, [path for path in files if path.suffix.lower() not in extensions], subfolders


def use_ffmpeg(paths: Iterable[Path]) -> str:
    """How to read the first file in a format that only ffmpeg reads; empty if there is none or ffmpeg is installed."""
    names = [path.name for path in paths if path.suffix.lower() in FFMPEG_EXTENSIONS]
    return f"install ffmpeg to read audio such as {names[0]}, or convert it" if names and not FFMPEG else ""


def diagnose(path: Path, reason: str) -> str:
    """Why a file cannot be read as a recording and what to do; `reason` is the decoder's message."""
    if not path.exists():
        return "no such file; correct the path or remove it"
    if is_lfs_pointer(path):
        return "a Git LFS pointer, not the recording; fetch it: git lfs pull"
    if re.search("[\ud800-\udfff]", str(path)):  # what Python makes of other bytes, which soundfile rejects
        return "its name is not in UTF-8; rename it"
    return f"cannot be read as audio ({reason}); {use_ffmpeg([path]) or 'replace it or remove it'}"


def is_lfs_pointer(path: Path) -> bool:
    """Whether `path` is a Git LFS pointer, the placeholder of a file that is not fetched yet."""
    start = b"version https://git-lfs.github.com/"
    if not path.is_file():  # a pipe can be read only once
        return False
    with path.open("rb") as file:
        return file.read(len(start)) == start
