"""The files that predict.py writes. Imports no torch: a path that cannot be written is an error at once."""

from collections.abc import Sequence
from pathlib import Path

from overlapped_words.errors import SettingError
from overlapped_words.inference.inputs import Inputs
from overlapped_words.messages import first_names


def plot_paths(output: Path, inputs: Inputs) -> list[Path]:
    """The plots of timelines: next to the table for one recording, in a folder there for several."""
    if inputs.alone:
        return [output.with_suffix(".png")]
    return [output.with_suffix("") / f"{i:04}_{path.stem}.png" for i, path in enumerate(inputs.paths)]


def check_writable(output: Path, plots: Sequence[Path], overwrite: bool) -> None:
    """Check that the table `output` and the plots can be written, and replace no file unless `overwrite`.

    Raises:
        SettingError: they cannot be written, or exist.
    """
    if not output.parent.is_dir():
        raise SettingError(f"{output}: folder {output.parent} not found; create it, or give another output=FILE")
    files = [file for file in (output, *plots) if file.exists()]
    if odd := [str(file) for file in files if not file.is_file()]:
        raise SettingError(f"{first_names(odd)}: a folder or a device, not a file; give another output=FILE")
    if output.suffix.lower() not in (".csv", ".txt"):
        raise SettingError(f"output is {output}; the table is CSV: give a name that ends in .csv")
    if files and not overwrite:
        exist = "exists" if len(files) == 1 else "exist"
        names = first_names(map(str, files))
        raise SettingError(f"{names} {exist}; give another output=FILE, or overwrite=true to replace")
