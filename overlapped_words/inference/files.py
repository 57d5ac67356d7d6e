"""The files that predict.py reads and writes. Imports no torch: a wrong path is an error at once."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from datamodules.audio_files import find_recordings
from overlapped_words.errors import DataError, SettingError
from overlapped_words.messages import first_names, normalize_name
from overlapped_words.runs.files import check_writable


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
    if path.suffix.lower() != ".txt":
        return Inputs(unique_ids([path]), [path], alone=True)
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: the list is not in UTF-8; write one path per line and save it as UTF-8") from error
    ids = [name for line in lines if (name := line.strip())]
    if not ids:
        raise DataError(f"{path}: the list is empty; write one path per line")
    names = [Path(line.replace("\\", "/")) for line in ids]
    paths = [name if name.exists() else path.parent / name for name in names]  # relative to the list or not
    return Inputs(list(map(normalize_name, ids)), paths, alone=len(paths) == 1)


def unique_ids(paths: Sequence[Path]) -> list[str]:
    """File names without extensions, as competitions expect; with extensions where two names would be the same."""
    names = [normalize_name(path.name) for path in paths]
    stems = [normalize_name(path.stem) for path in paths]
    ambiguous = Counter(stems) + Counter(names)
    return [name if ambiguous[stem] > 1 else stem for name, stem in zip(names, stems, strict=True)]


def plot_paths(output: Path, inputs: Inputs) -> list[Path]:
    """The plots of timelines: next to the table for one recording, in a folder there for several."""
    if inputs.alone:
        return [output.with_suffix(".png")]
    return [output.with_suffix("") / f"{i:04}_{path.stem}.png" for i, path in enumerate(inputs.paths)]


def check_output(output: Path, plots: Sequence[Path], overwrite: bool) -> None:
    """Check that the table `output` and the plots can be written, and replace no file unless `overwrite`.

    Raises:
        SettingError: they cannot be written, or exist.
    """
    files = [file for file in (output, *plots) if file.exists()]
    if output.suffix.lower() not in (".csv", ".txt") or output.is_dir():
        raise SettingError(f"output is {output}; the table is a CSV file: give a name that ends in .csv")
    if files and not overwrite:
        raise SettingError(f"{first_names(map(str, files))}: exists; give another output=FILE, or overwrite=true")
    check_writable(output)
