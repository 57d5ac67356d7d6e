"""Tables of answers: an id and one column a word."""

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from datamodules.recordings import DataError


@dataclass(frozen=True)
class Answers:
    """`values`, `(N, num_classes)` float32: row i is the answer of the clip `ids[i]` line i + 2 of the file."""

    path: Path
    columns: list[str]
    ids: list[str]
    values: np.ndarray

    @property
    def class_names(self) -> list[str]:
        return self.columns[1:]

    def check_distributions(self) -> None:
        """Raises DataError at the first row that is no distribution: negative, or a sum that is not 1 to 1e-3."""
        negative = (self.values < 0).any(axis=1)
        total = self.values.sum(axis=1)
        off = np.abs(total - 1) > 1e-3
        for bad, fault in ((negative, "holds a negative answer"), (off, "sums to {:.4g}, not to 1")):
            if bad.any():
                i = int(bad.argmax())
                raise DataError(
                    f"{self.path}, line {i + 2} ({self.ids[i]}): {fault.format(total[i])} "
                    f"({int(bad.sum())} such rows); correct it or remove the clip"
                )

    def check_columns(self, answers: "Answers") -> None:
        """Raises DataError where the words of this file and of `answers` differ; their order may."""
        missing = [name for name in answers.class_names if name not in self.class_names]
        unknown = [name for name in self.class_names if name not in answers.class_names]
        if missing or unknown:
            raise DataError(
                f"{self.path}: its columns are not those of {answers.path.name}: "
                f"missing {_some(missing)}; unknown {_some(unknown)}; make the headers agree"
            )

    def check_ids(self, recordings: set[str], folder: Path) -> None:
        """Raises DataError where a row has no recording in `folder`, or a recording there has no row."""
        for i, clip_id in enumerate(self.ids):
            if clip_id not in recordings:
                absent = [other for other in self.ids if other not in recordings]
                raise DataError(
                    f"{self.path}, line {i + 2}: {clip_id} has no recording in {folder} ({len(absent)} such rows); "
                    "add the recording or remove the row"
                )
        extra = sorted(recordings - set(self.ids))
        if extra:
            raise DataError(
                f"{folder}: {_some(extra)} without a row in {self.path}; add the row or remove the recording"
            )


def read_answers(path: Path) -> Answers:
    """A CSV whose first column is the id and whose other columns are the words, in UTF-8 (with or without BOM).

    Raises:
        DataError: no such file, no rows, an id or a column twice, or a value that is no number.
    """
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig", index_col=False)
        with path.open(encoding="utf-8-sig", newline="") as file:
            # As written: pandas renames a second column "no" to "no.1".
            header = [name.strip() for name in next(csv.reader(file))]
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file; it holds an id and one column a word") from error
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: not a table in UTF-8 with commas ({str(error).strip()}); export it again") from error
    ids = table.iloc[:, 0].str.strip()
    if table.empty or len(header) < 2:
        raise DataError(f"{path}: has {len(table)} rows and {len(header)} columns; it needs an id, words and clips")
    if len(set(header)) < len(header):
        raise DataError(f"{path}: a column stands twice in its header; rename or remove one")
    if ids.duplicated().any():
        i = int(ids.duplicated().to_numpy().argmax())
        raise DataError(f"{path}, line {i + 2}: the id {ids[i]} stands there a second time; keep one row")
    values = table.iloc[:, 1:].apply(pd.to_numeric, errors="coerce").to_numpy(np.float64)
    bad = ~np.isfinite(values)
    if bad.any():
        i, j = (int(place[0]) for place in bad.nonzero())
        raise DataError(
            f"{path}, line {i + 2} ({ids[i]}), column {header[j + 1]}: {table.iloc[i, j + 1]!r} is not a number; "
            "correct it"
        )
    return Answers(path, header, ids.tolist(), values.astype(np.float32))


def _some(names: Iterable[str]) -> str:
    names = list(names)
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "") if names else "none"
