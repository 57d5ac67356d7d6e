"""Read and check tables of targets: an id and one column per word."""

import csv
import math
import unicodedata
from dataclasses import dataclass
from pathlib import Path

import numpy as np

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
                raise DataError(
                    f"{self.path}, line {self.lines[i]} ({self.ids[i]}): {fault.format(total[i])} "
                    f"({int(bad.sum())} such rows); correct it or remove the clip"
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

    def check_ids(self, recordings: set[str], folder: Path) -> None:
        """Raise DataError if a row has no recording in `folder`, or a recording in it has no row."""
        absent = [i for i, clip_id in enumerate(self.ids) if clip_id not in recordings]
        if absent:
            raise DataError(
                f"{self.path}, line {self.lines[absent[0]]}: {self.ids[absent[0]]} has no recording in {folder} "
                f"({len(absent)} such rows); add the recording or remove the row"
            )
        extra = sorted(recordings - set(self.ids))
        if extra:
            raise DataError(
                f"{folder}: no row in {self.path} for {first_names(extra)}; add the row or remove the recording"
            )


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
                values.append(_numbers(row[1:], header[1:], f"{where} ({clip_id})"))
    except FileNotFoundError as error:
        raise DataError(f"{path}: file not found; it needs an id and one column per word") from error
    except (csv.Error, UnicodeDecodeError, OSError) as error:
        raise DataError(f"{path}: not a comma-separated table in UTF-8 ({error}); export it again") from error
    if not values:
        raise DataError(f"{path}: is empty; add one row per clip")
    return TargetTable(path, header, list(lines), np.array(values, np.float32), list(lines.values()))


def normalize_name(text: str) -> str:
    """Normalize a name for comparison: macOS decomposes Korean syllables and accented letters, other systems do not."""
    return unicodedata.normalize("NFC", text).strip()


def _check_header(path: Path, header: list[str]) -> None:
    if len(header) < 2:
        raise DataError(
            f"{path}: the header is {''.join(header)!r}; "
            "the first line must be a comma-separated header: id, word, word, ..."
        )
    if not all(header):
        raise DataError(f"{path}: column {header.index('') + 1} has no name in the header; name it or remove it")
    duplicates = [name for i, name in enumerate(header) if name in header[:i]]
    if duplicates:
        raise DataError(f"{path}: duplicate column {duplicates[0]}; rename or remove one")


def _numbers(texts: list[str], names: list[str], where: str) -> np.ndarray:
    numbers = [_number(text) for text in texts]
    if not all(map(math.isfinite, numbers)):
        i = next(i for i, number in enumerate(numbers) if not math.isfinite(number))
        raise DataError(f"{where}, column {names[i]}: {texts[i]!r} is not a number; correct it")
    return np.array(numbers, np.float32)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
