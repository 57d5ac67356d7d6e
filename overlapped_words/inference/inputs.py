"""Find the recordings of predict.py's setting `input`. Imports no torch: a wrong path is an error at once."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from datamodules.audio_files import find_recordings, normalize_name
from overlapped_words.errors import DataError


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
        paths = find_recordings([path], "give the folder with the recordings")
        return Inputs(unique_ids(paths), paths)
    if not path.exists():
        raise DataError(f"{path}: no such file or folder; input is a recording, a folder of them or a list (.txt)")
    if path.suffix.lower() != ".txt":
        return Inputs(unique_ids([path]), [path], alone=True)
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: the list is not in UTF-8; write one path per line and save it as UTF-8") from error
    ids = [line for line in lines if line]
    if not ids:
        raise DataError(f"{path}: the list is empty; write one path per line")
    paths = [_resolve(name, path.parent) for name in ids]
    return Inputs(list(map(normalize_name, ids)), paths, alone=len(paths) == 1)


def _resolve(name: str, folder: Path) -> Path:
    """The file of a list in `folder`: `name` may be relative to the list or not, with slashes or backslashes."""
    spellings = [Path(name), folder / name, Path(name.replace("\\", "/")), folder / name.replace("\\", "/")]
    return next((path for path in spellings if path.exists()), folder / name)


def unique_ids(paths: Sequence[Path]) -> list[str]:
    """File names without extensions, as competitions expect; with extensions where two names would be the same."""
    names = [normalize_name(path.name) for path in paths]
    stems = [normalize_name(path.stem) for path in paths]
    ambiguous = Counter(stems) + Counter(names)
    return [name if ambiguous[stem] > 1 else stem for name, stem in zip(names, stems, strict=True)]
