"""Tables of distributions as CSV files: an id and one column per word."""

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from overlapped_words.errors import UserError
from overlapped_words.messages import first_names, normalize_name

if TYPE_CHECKING:
    import pandas as pd

SUM_TOLERANCE = 1e-3  # largest deviation of a row's sum from 1


def read_table(path: Path, error: type[UserError], sums: bool = True) -> "pd.DataFrame":
    """A CSV -> `(N, num_classes)` float64, indexed by its first column, the ids, as text. Empty rows are left out.

    Args:
        error: raised if it is not a table, has no rows, a duplicate id or column, or a row that is not a distribution.
        sums: whether the values of a row must be probabilities that sum to 1, and not any numbers.
    """
    import pandas as pd  # a quarter of a second, which predict.py does not need for one clip

    # By itself, because pandas renames duplicate columns.
    first = read_csv(path, error, header=None, nrows=1, dtype=str, keep_default_na=False).iloc[0]
    header = list(map(normalize_name, first))
    if len(header) < 2 or "" in header or len(set(header)) < len(header):
        raise error(f"{path}: its first line must name an id and the words, each once: id,word,word; correct it")
    layout = {"header": 0, "names": header, "index_col": False, "dtype": {header[0]: str}, "keep_default_na": False}
    table = read_csv(path, error, **layout).set_index(header[0])
    table.index = table.index.map(normalize_name)
    table = table[(table.index != "") | ~table.isin(["", None]).all(axis=1)]  # spreadsheets write rows of commas
    if table.empty:
        raise error(f"{path}: has no rows; add one per clip")
    values = table.apply(pd.to_numeric, errors="coerce").to_numpy(np.float64)
    faults = {
        "is there twice; keep one row": table.index.duplicated(),
        "has a value that is not a number; correct it": ~np.isfinite(values).all(axis=1),
        "has a negative probability; correct it": (values < 0).any(axis=1) & sums,
        "does not sum to 1; divide each row by its sum": (np.abs(values.sum(axis=1) - 1) > SUM_TOLERANCE + 1e-9) & sums,
    }
    for fault, bad in faults.items():
        if bad.any():
            raise error(f"{path}: the row {table.index[bad.argmax()]} {fault} ({bad.sum()} such rows)")
    return pd.DataFrame(values, table.index, header[1:])


def read_csv(path: Path, error: type[UserError], **layout: Any) -> "pd.DataFrame":
    """A CSV in UTF-8 as `pandas.read_csv` reads it with the options `layout`; an `error` if it is not a table."""
    import pandas as pd

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # pandas drops surplus cells with a warning
            return pd.read_csv(path, low_memory=False, encoding="utf-8-sig", **layout)
    except FileNotFoundError as reason:
        raise error(f"{path}: file not found; it needs an id and one column per word") from reason
    except (ValueError, ArithmeticError, OSError, pd.errors.ParserWarning) as reason:
        raise error(f"{path}: not a table in UTF-8 ({' '.join(str(reason).split())}); correct it") from reason


def difference(table: "pd.DataFrame", other: "pd.DataFrame") -> str:
    """How the columns and ids of `table`, and their order, differ from those of `other`; empty if they are equal."""
    for noun, names, expected in (
        ("columns", [table.index.name, *table.columns], [other.index.name, *other.columns]),
        ("ids", table.index.tolist(), other.index.tolist()),
    ):
        missing, unknown = set(expected) - set(names), set(names) - set(expected)
        if missing or unknown:
            return f"different {noun} (missing {first_names(sorted(missing))}; unknown {first_names(sorted(unknown))})"
        if names != expected:
            return f"{noun} in a different order"
    return ""


def format_table(table: "pd.DataFrame", header: bool = True, digits: int = 10) -> str:
    """The text of a CSV. Significant digits keep small probabilities, and rows that sum to 1."""
    return table.to_csv(header=header, float_format=f"%.{digits}g", lineterminator="\n")
