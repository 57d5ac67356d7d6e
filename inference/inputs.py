"""What `input` of predict.py names. Imports no torch, so that a wrong path is an error at once."""

import logging
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from datamodules.audio_files import how_to_convert, list_files, list_recordings
from errors import DataError
from messages import count, first_names, printable

log = logging.getLogger(__name__)


class Inputs(NamedTuple):
    """Recordings, and their ids in the table. `alone`: one recording, given as a file."""

    ids: list[str]
    paths: list[Path]
    alone: bool = False


def find_inputs(given: Path) -> Inputs:
    """A recording, a folder of recordings or a list of paths (.txt), which may be relative to the list.

    Raises:
        DataError: nothing there.
    """
    if given.is_dir():
        return list_folder(given)
    if not given.exists():
        raise DataError(f"{given}: no such file or folder; input is a recording, a folder of them or a list (.txt)")
    if given.suffix.lower() != ".txt":
        return Inputs([given.stem], [given], alone=True)
    try:
        lines = [line.strip() for line in given.read_text(encoding="utf-8-sig").splitlines()]
    except UnicodeDecodeError as error:
        raise DataError(f"{given}: not a list in UTF-8; write one path a line and save it as UTF-8") from error
    ids = [line for line in lines if line]
    if not ids:
        raise DataError(f"{given}: an empty list; write one path a line")
    paths = [Path(name) if Path(name).exists() else given.parent / name for name in ids]
    return Inputs(ids, paths, alone=len(paths) == 1)


def list_folder(folder: Path) -> Inputs:
    """The recordings directly in `folder`; what else is there is logged, but for hidden files.

    Raises:
        DataError: no recording.
    """
    paths = list_recordings(folder)
    others = sorted({*list_files(folder)} - {*paths})
    command = how_to_convert(others)
    convert = f"; convert audio that cannot be read first: {command}" if command else ""
    folders = sorted(path.name for path in folder.iterdir() if path.is_dir() and path.name[0] != ".")
    if not paths:
        there = f", only {first_names(path.name for path in others)}" if others else ""
        within = f"; give one of its folders: {first_names(folders)}" if folders else ""
        remedy = convert or within or "; give the folder that the recordings are in"
        raise DataError(f"{folder}: holds no recording{there}{remedy}")
    if others:
        names = first_names(path.name for path in others)
        log.warning("%s skipped: %s%s", count(len(others), "file"), names, printable(convert))
    if folders:
        log.warning("%s not searched: %s", count(len(folders), "sub-folder"), first_names(folders))
    return Inputs(unique_ids(paths), paths)


def unique_ids(paths: Sequence[Path]) -> list[str]:
    """File names without their extensions, as a competition wants them, but with them where two would be the same."""
    stems, names = Counter(path.stem for path in paths), {path.name for path in paths}
    return [path.name if stems[path.stem] > 1 or path.stem in names else path.stem for path in paths]
