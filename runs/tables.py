"""Tables of distributions: reading and checking them, saying how two differ, writing them whole."""

import csv
import os
import warnings
from collections.abc import Container, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pandas as pd

from errors import RunError
from messages import first_names, printable
from runs.reading import RETRAIN

PROB_FLOOR = 1e-10  # lower bound inside logarithms: a rounded 0 costs much, but not infinity
SUM_TOLERANCE = 1e-3  # how far a row may be from summing to 1
MAX_CLASSES = 10_000  # reading takes a while for each column, and a line of commas is a short file


def read_table(path: Path) -> pd.DataFrame:
    """A CSV of distributions -> `(N, num_classes)` float64, indexed by its first column, the ids, as strings.

    Raises:
        RunError: not a table, no rows, an id or a column twice, or a row that is no distribution.
    """
    table = _read_csv(path)
    ids = pd.Index(table.iloc[:, 0], name=table.columns[0])

    def fault(i: int, text: str) -> RunError:
        return RunError(f"{path}, line {i + 2} ({ids[i]}): {text}; correct it, or {RETRAIN}")

    if ids.has_duplicates:
        raise fault(int(ids.duplicated().argmax()), "the id stands there a second time")
    values = table.iloc[:, 1:].apply(pd.to_numeric, errors="coerce").to_numpy(np.float64)
    bad = ~((values >= 0) & (values < np.inf))
    if bad.any():
        i, j = (int(place[0]) for place in bad.nonzero())
        raise fault(i, f"{str(table.iloc[i, j + 1])!r} in column {table.columns[j + 1]} is not a probability")
    total = values.sum(axis=1)
    off = np.abs(total - 1) > SUM_TOLERANCE
    if off.any():
        raise fault(int(off.argmax()), f"sums to {total[off][0]:.4g}, not to 1")
    return pd.DataFrame(values, index=ids, columns=table.columns[1:])


def _read_csv(path: Path) -> pd.DataFrame:
    """The table as it stands there, ids as strings; cells that are no numbers make their column one of strings."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            header = next(csv.reader(file), [])  # pandas would rename columns that stand twice
        if len(header) < 2 or len(set(header)) < len(header):
            raise RunError(f"{path}: its first line must name an id and the classes, each once; {RETRAIN}")
        if len(header) > MAX_CLASSES:
            raise RunError(f"{path}: its first line names more than {MAX_CLASSES:,} classes; {RETRAIN}")
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # it warns where it drops what a row has too much
            layout: dict[str, Any] = {"names": header, "header": 0, "index_col": False, "dtype": {header[0]: str}}
            table = pd.read_csv(path, keep_default_na=False, low_memory=False, **layout)
    except (OSError, UnicodeDecodeError, csv.Error, pd.errors.ParserError, pd.errors.ParserWarning) as error:
        raise RunError(f"{path}: cannot be read as a table in UTF-8 ({str(error).strip()}); {RETRAIN}") from error
    if table.empty:
        raise RunError(f"{path}: has no rows; {RETRAIN}")
    return table


def difference(table: pd.DataFrame, other: pd.DataFrame) -> str:
    """How the columns and ids of `table`, and their order, differ from those of `other`; empty where they agree."""
    for noun, names, wanted in (
        ("columns", [table.index.name, *table.columns], [other.index.name, *other.columns]),
        ("ids", table.index.tolist(), other.index.tolist()),
    ):
        if names == wanted:
            continue
        known, needed = set(names), set(wanted)
        if known == needed:
            first = next(name for name, want in zip(names, wanted, strict=True) if name != want)
            return f"{noun} in another order (the first: {first})"
        lost, extra = [name for name in wanted if name not in known], [name for name in names if name not in needed]
        return f"other {noun} (missing {first_names(lost)}; unknown {first_names(extra)})"
    return ""


def format_table(table: pd.DataFrame) -> str:
    """The text of a CSV; ten significant digits keep small probabilities, and rows that sum to 1."""
    return table.to_csv(float_format="%.10g", lineterminator="\n")


def write_files(folder: Path, texts: dict[str, str]) -> None:
    """Writes files, by name, into `folder`: first all under temporary names, so that an error leaves none half-written.

    Raises:
        RunError: no room, or no permission.
    """
    # Names that nobody can guess: a link of that name in somebody else's folder would lead elsewhere.
    temporary = {name: folder / f".{name}.{uuid4().hex}.tmp" for name in texts}
    try:
        for name, text in texts.items():
            temporary[name].write_text(text, encoding="utf-8", newline="\n")
        for name, path in temporary.items():
            os.replace(path, folder / name)
    except OSError as error:
        raise RunError(f"{folder}: cannot be written ({error}); make room or change its permissions") from error
    finally:
        for path in temporary.values():
            path.unlink(missing_ok=True)


def align(rows: Sequence[Sequence[str]], left: Container[int]) -> list[str]:
    """Rows of cells -> lines of aligned columns for a terminal: `left` ones to the left, others to the right."""
    rows = [[printable(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    aligns = [str.ljust if i in left else str.rjust for i in range(len(widths))]
    cells = ([fit(cell, width) for fit, cell, width in zip(aligns, row, widths, strict=True)] for row in rows)
    return ["  ".join(row) for row in cells]
