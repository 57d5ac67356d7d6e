"""Find the recordings of predict.py's setting `input`. Imports no torch: a wrong path is an error at once."""

import logging
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from datamodules.audio_files import how_to_convert, list_files, list_recordings
from overlapped_words.errors import DataError
from overlapped_words.messages import count, first_names, printable

log = logging.getLogger(__name__)


class Inputs(NamedTuple):
    """Recordings and their ids in the table. `alone`: a single recording, not a folder."""

    ids: list[str]
    paths: list[Path]
    alone: bool = False


def find_inputs(path: Path) -> Inputs:
    """The recordings of `path`: a recording, a folder of them or a list (.txt) of paths, relative to the list or not.

    Raises:
        DataError: no recordings.
    """
    if path.is_dir():
        return list_folder(path)
    if not path.exists():
        raise DataError(f"{path}: no such file or folder; input is a recording, a folder of them or a list (.txt)")
    if path.suffix.lower() != ".txt":
        return Inputs([path.stem], [path], alone=True)
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: the list is not in UTF-8; write one path per line and save it as UTF-8") from error
    ids = [line for line in lines if line]
    if not ids:
        raise DataError(f"{path}: the list is empty; write one path per line")
    paths = [Path(name) if Path(name).exists() else path.parent / name for name in ids]
    return Inputs(ids, paths, alone=len(paths) == 1)


def list_folder(folder: Path) -> Inputs:
    """The recordings directly in `folder`; logs other files and folders that are not hidden.

    Raises:
        DataError: no recordings.
    """
    paths = list_recordings(folder)
    others = sorted({*list_files(folder)} - {*paths})
    command = how_to_convert(others)
    convert = f"; convert audio that cannot be read first: {command}" if command else ""
    folders = sorted(path.name for path in folder.iterdir() if path.is_dir() and path.name[0] != ".")
    if not paths:
        content = f", only {first_names(path.name for path in others)}" if others else ""
        subfolders = f"; give one of its subfolders: {first_names(folders)}" if folders else ""
        remedy = convert or subfolders or "; give the folder with the recordings"
        raise DataError(f"{folder}: contains no recordings{content}{remedy}")
    if others:
        names = first_names(path.name for path in others)
        log.warning("%s skipped: %s%s", count(len(others), "file"), names, printable(convert))
    if folders:
        log.warning("%s not searched: %s", count(len(folders), "subfolder"), first_names(folders))
    return Inputs(unique_ids(paths), paths)


def unique_ids(paths: Sequence[Path]) -> list[str]:
    """File names without extensions, as competitions expect; with extensions where two names would be the same."""
    stems, names = Counter(path.stem for path in paths), {path.name for path in paths}
    return [path.name if stems[path.stem] > 1 or path.stem in names else path.stem for path in paths]
