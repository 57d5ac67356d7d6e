"""Tables of distributions as CSV files: read, check, compare, write."""

import csv
import warnings
from collections.abc import Container, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from overlapped_words.errors import RunError
from overlapped_words.messages import first_names, printable
from overlapped_words.runs.files import write_text
from overlapped_words.runs.reading import RETRAIN

if TYPE_CHECKING:
    import pandas as pd

PROB_FLOOR = 1e-10  # lower bound inside logarithms: a rounded 0 costs much, but not infinity
SUM_TOLERANCE = 1e-3  # largest deviation of a row's sum from 1
MAX_CLASSES = 10_000  # each column costs time, and a long line of commas is a small file


def read_table(path: Path) -> "pd.DataFrame":
    """A CSV of distributions -> `(N, num_classes)` float64, indexed by its first column, the ids, as strings.

    Raises:
        RunError: not a table, no rows, a duplicate id or column, or a row that is not a distribution.
    """
    import pandas as pd  # here: predict.py does not need it for one clip

    table = _read_csv(path)
    ids = pd.Index(table.iloc[:, 0], name=table.columns[0])

    def fault(i: int, text: str) -> RunError:
        return RunError(f"{path}, line {i + 2} ({ids[i]}): {text}; correct it, or {RETRAIN}")

    if ids.has_duplicates:
        raise fault(int(ids.duplicated().argmax()), "duplicate id")
    values = table.iloc[:, 1:].apply(pd.to_numeric, errors="coerce").to_numpy(np.float64)
    bad = ~((values >= 0) & (values < np.inf))
    if bad.any():
        i, j = (int(indices[0]) for indices in bad.nonzero())
        raise fault(i, f"{str(table.iloc[i, j + 1])!r} in column {table.columns[j + 1]} is not a probability")
    total = values.sum(axis=1)
    off = np.abs(total - 1) > SUM_TOLERANCE
    if off.any():
        raise fault(int(off.argmax()), f"sums to {total[off][0]:.4g}, not to 1")
    return pd.DataFrame(values, index=ids, columns=table.columns[1:])


def _read_csv(path: Path) -> "pd.DataFrame":
    """The table as it is in the file, ids as strings; a column with a cell that is not a number holds strings."""
    import pandas as pd

    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            header = next(csv.reader(file), [])  # pandas would rename duplicate columns
        if len(header) < 2 or len(set(header)) < len(header):
            raise RunError(f"{path}: its first line must name an id and the classes, each once; {RETRAIN}")
        if len(header) > MAX_CLASSES:
            raise RunError(f"{path}: its first line names more than {MAX_CLASSES:,} classes; {RETRAIN}")
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # pandas drops surplus cells with a warning
            layout: dict[str, Any] = {"names": header, "header": 0, "index_col": False, "dtype": {header[0]: str}}
            table = pd.read_csv(path, keep_default_na=False, low_memory=False, **layout)
    except (OSError, UnicodeDecodeError, csv.Error, pd.errors.ParserError, pd.errors.ParserWarning) as error:
        raise RunError(f"{path}: cannot be read as a table in UTF-8 ({str(error).strip()}); {RETRAIN}") from error
    if table.empty:
        raise RunError(f"{path}: has no rows; {RETRAIN}")
    return table


def difference(table: "pd.DataFrame", other: "pd.DataFrame") -> str:
    """How the columns and ids of `table`, and their order, differ from those of `other`; empty if they are equal."""
    for noun, names, expected in (
        ("columns", [table.index.name, *table.columns], [other.index.name, *other.columns]),
        ("ids", table.index.tolist(), other.index.tolist()),
    ):
        if names == expected:
            continue
        if sorted(names) == sorted(expected):
            first = next(name for name, other_name in zip(names, expected, strict=True) if name != other_name)
            return f"{noun} in a different order (the first: {first})"
        present, known = set(names), set(expected)
        missing = [name for name in expected if name not in present]
        unknown = [name for name in names if name not in known]
        return f"different {noun} (missing {first_names(missing)}; unknown {first_names(unknown)})"
    return ""


def write_table(
    path: Path, columns: Sequence[str], ids: Sequence[str], values: np.ndarray, header: bool = True
) -> None:
    """Write distributions `(N, num_classes)` as CSV; `columns` starts with the column of the ids."""
    import pandas as pd

    index = pd.Index(list(ids), name=columns[0], dtype=object)
    table = pd.DataFrame(values.astype(np.float64), index=index, columns=list(columns[1:]))
    write_text(path, format_table(table, header, digits=9))  # of float32


def format_table(table: "pd.DataFrame", header: bool = True, digits: int = 10) -> str:
    """The text of a CSV. Significant digits keep small probabilities, and rows that sum to 1."""
    return table.to_csv(header=header, float_format=f"%.{digits}g", lineterminator="\n")


def align(rows: Sequence[Sequence[str]], left: Container[int]) -> list[str]:
    """Rows of cells -> lines of aligned columns for a terminal: `left` ones to the left, others to the right."""
    rows = [[printable(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    aligns = [str.ljust if i in left else str.rjust for i in range(len(widths))]
    cells = ([fit(cell, width) for fit, cell, width in zip(aligns, row, widths, strict=True)] for row in rows)
    return ["  ".join(row) for row in cells]
