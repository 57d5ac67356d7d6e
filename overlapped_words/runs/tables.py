"""Tables of distributions as CSV files: read, check, compare, format."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from overlapped_words.errors import RunError
from overlapped_words.messages import first_names
from overlapped_words.runs.reading import RETRAIN, read_csv

if TYPE_CHECKING:
    import pandas as pd

# The tables of a member by file name without `.csv`: predictions, and the targets of each.
TARGETS_OF = {"predictions": "test_answers", "val_predictions": "val_answers"}
TABLES = (*TARGETS_OF.keys(), *TARGETS_OF.values())
SUM_TOLERANCE = 1e-3  # largest deviation of a row's sum from 1


def read_table(path: Path) -> "pd.DataFrame":
    """A CSV of distributions -> `(N, num_classes)` float64, indexed by its first column, the ids, as strings.

    Raises:
        RunError: not a table, no rows, a duplicate id or column, or a row that is not a distribution.
    """
    import pandas as pd  # a quarter of a second, which predict.py does not need for one clip

    text = {"encoding": "utf-8-sig", "keep_default_na": False}
    # By itself, because pandas renames duplicate columns.
    header = read_csv(path, RETRAIN, **text, header=None, nrows=1, dtype=str).iloc[0].tolist()
    if len(header) < 2 or len(set(header)) < len(header):
        raise RunError(f"{path}: its first line must name an id and the classes, each once; {RETRAIN}")
    layout = {"names": header, "header": 0, "index_col": False, "dtype": {header[0]: str}}
    table = read_csv(path, RETRAIN, **text, **layout)
    if table.empty:
        raise RunError(f"{path}: has no rows; {RETRAIN}")
    ids = pd.Index(table.iloc[:, 0], name=header[0])

    def fault(i: int, text: str) -> RunError:
        return RunError(f"{path}, line {i + 2} ({ids[i]}): {text}; correct it, or {RETRAIN}")

    if ids.has_duplicates:
        raise fault(int(ids.duplicated().argmax()), "duplicate id")
    values = table.iloc[:, 1:].apply(pd.to_numeric, errors="coerce").to_numpy(np.float64)
    bad = ~((values >= 0) & (values < np.inf))
    if bad.any():
        i, j = (int(indices[0]) for indices in bad.nonzero())
        raise fault(i, f"{str(table.iloc[i, j + 1])!r} in column {header[j + 1]} is not a probability")
    total = values.sum(axis=1)
    off = np.abs(total - 1) > SUM_TOLERANCE
    if off.any():
        raise fault(int(off.argmax()), f"sums to {total[off][0]:.4g}, not to 1")
    return pd.DataFrame(values, index=ids, columns=header[1:])


def difference(table: "pd.DataFrame", other: "pd.DataFrame") -> str:
    """How the columns and ids of `table`, and their order, differ from those of `other`; empty if they are equal."""
    for noun, names, expected in (
        ("columns", [table.index.name, *table.columns], [other.index.name, *other.columns]),
        ("ids", table.index.tolist(), other.index.tolist()),
    ):
        present, known = set(names), set(expected)
        if present != known:
            missing = first_names(name for name in expected if name not in present)
            unknown = first_names(name for name in names if name not in known)
            return f"different {noun} (missing {missing}; unknown {unknown})"
        if names != expected:
            first = next(name for name, other_name in zip(names, expected, strict=True) if name != other_name)
            return f"{noun} in a different order (the first: {first})"
    return ""


def format_table(table: "pd.DataFrame", header: bool = True, digits: int = 10) -> str:
    """The text of a CSV. Significant digits keep small probabilities, and rows that sum to 1."""
    return table.to_csv(header=header, float_format=f"%.{digits}g", lineterminator="\n")
