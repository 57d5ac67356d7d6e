"""Read and check tables of targets: an id and one column per word."""

import csv
import math
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from datamodules.audio_files import EXTENSIONS, FFMPEG_EXTENSIONS, check_words, normalize_name
from overlapped_words.errors import DataError
from overlapped_words.messages import first_names


@dataclass(frozen=True)
class TargetTable:
    """`values` `(N, num_classes)` float32: row i is the target of clip `ids[i]`, from line `lines[i]` of the file."""

    path: Path
    columns: list[str]
    ids: list[str]
    values: np.ndarray
    lines: list[int]

    @property
    def class_names(self) -> list[str]:
        return self.columns[1:]

    def check_distributions(self) -> None:
        """Raise DataError for the first row that is not a distribution: negative, or its sum not within 1e-3 of 1."""
        negative = (self.values < 0).any(axis=1)
        total = self.values.sum(axis=1)
        off = np.abs(total - 1) > 1e-3 + 1e-6  # rounding of float32
        for bad, fault in ((negative, "contains a negative probability"), (off, "sums to {:.4g}, not to 1")):
            if bad.any():
                i = int(bad.argmax())
                divide = bad is off and total[i] > 0
                remedy = "divide each row by its sum" if divide else "correct it or remove the clip"
                raise DataError(
                    f"{self.path}, line {self.lines[i]} ({self.ids[i]}): {fault.format(total[i])} "
                    f"({int(bad.sum())} such rows); {remedy}"
                )

    def check_columns(self, class_names: list[str], where: str) -> None:
        """Raise DataError if the words of this file differ from `class_names`, those of `where`; any order is fine."""
        missing = [name for name in class_names if name not in self.class_names]
        unknown = [name for name in self.class_names if name not in class_names]
        if missing or unknown:
            raise DataError(
                f"{self.path}: columns differ from {where}: "
                f"missing {first_names(missing)}; unknown {first_names(unknown)}; use the same header"
            )

    def match(self, recordings: Collection[str], folder: Path) -> list[str]:
        """The name in `recordings`, the file names in `folder` without extensions, of each row.

        An id may be such a name, or else the file name with its extension, its path, or both.

        Raises:
            DataError: a row has no recording, two rows have the same, or a recording has no row.
        """
        names = [name if name in recordings else _file_stem(name) for name in self.ids]
        line_of: dict[str, int] = {}
        for name, clip_id, line in zip(names, self.ids, self.lines, strict=True):
            if name not in recordings:
                absent = sum(name not in recordings for name in names)
                raise DataError(
                    f"{self.path}, line {line}: {clip_id} has no recording in {folder} "
                    f"({absent} such rows); add the recording or remove the row"
                )
            if (first := line_of.setdefault(name, line)) != line:
                raise DataError(f"{self.path}, line {line}: {clip_id} is the recording of line {first}; keep one row")
        if extra := sorted(set(recordings) - set(names)):
            raise DataError(
                f"{folder}: no row in {self.path} for {first_names(extra)}; add the row or remove the recording"
            )
        return names


def read_targets(path: Path) -> TargetTable:
    """Read a CSV in UTF-8 (with or without BOM) whose first column is the id and whose other columns are the words.

    Raises:
        DataError: the file does not exist, has no rows, a duplicate id or column, a row with more or fewer fields than
            the header, or a value that is not a number.
    """
    lines: dict[str, int] = {}
    values = []
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            rows = (row for row in reader if "".join(row).strip())  # spreadsheets write empty rows, some with commas
            header = [normalize_name(name) for name in next(rows, [])]
            _check_header(path, header)
            for row in rows:
                clip_id, where = normalize_name(row[0]), f"{path}, line {reader.line_num}"
                if len(row) != len(header):
                    raise DataError(
                        f"{where} ({clip_id}): {len(row)} fields, but the header has {len(header)}; correct the row"
                    )
                if clip_id in lines:
                    raise DataError(f"{where}: duplicate id {clip_id}, first in line {lines[clip_id]}; keep one row")
                lines[clip_id] = reader.line_num
                words = zip(header[1:], row[1:], strict=True)
                values.append([_number(text, f"{where} ({clip_id}), column {name}") for name, text in words])
    except FileNotFoundError as error:
        raise DataError(f"{path}: file not found; it needs an id and one column per word") from error
    except (csv.Error, UnicodeDecodeError, OSError) as error:
        raise DataError(f"{path}: not a comma-separated table in UTF-8 ({error}); export it again") from error
    if not values:
        raise DataError(f"{path}: is empty; add one row per clip")
    return TargetTable(path, header, list(lines), np.array(values, np.float32), list(lines.values()))


def _file_stem(clip_id: str) -> str:
    """`train/c0.wav` -> `c0`: the file name without the extension of a recording."""
    name = PurePosixPath(clip_id.replace("\\", "/"))
    return name.stem if name.suffix.lower() in EXTENSIONS | FFMPEG_EXTENSIONS else name.name


def _check_header(path: Path, header: list[str]) -> None:
    if len(header) < 2:
        remedy = "the first line must be a comma-separated header: id, word, word, ..."
        raise DataError(f"{path}: the header is {''.join(header)!r}; {remedy}")
    if not all(header):
        raise DataError(f"{path}: column {header.index('') + 1} has no name in the header; name it or remove it")
    duplicates = [name for i, name in enumerate(header) if name in header[:i]]
    if duplicates:
        raise DataError(f"{path}: duplicate column {duplicates[0]}; rename or remove one")
    check_words(header[1:], path)


def _number(text: str, where: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise DataError(f"{where}: {text!r} is not a number; correct it")
    return number
