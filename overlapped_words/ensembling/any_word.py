"""Misses and false alarms: clips with words that seem to have none, and the reverse."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from overlapped_words.errors import RunError
from overlapped_words.runs.members import Member
from overlapped_words.runs.reading import RETRAIN, read_csv

COLUMNS = {"id": str, "has_words": int, "any_word": float}
CLIPS_PER_HOUR = 3_600  # of one second


def average_any_word(members: Sequence[Member]) -> pd.DataFrame | None:
    """The mean of the members' any_word.csv: `has_words` and `any_word`, by clip; None if a member has none.

    Raises:
        RunError: a file is damaged, or has other clips than that of the first member.
    """
    paths = [member.path / "any_word.csv" for member in members]
    if not all(path.is_file() for path in paths):
        return None
    tables: list[pd.DataFrame] = []
    for path in paths:
        table = read_csv(path, RETRAIN, dtype=COLUMNS)
        if list(table) != list(COLUMNS) or set(table["has_words"]) != {0, 1}:
            raise RunError(f"{path}: not a table of clips with and without words; {RETRAIN}")
        if tables and not table[["id", "has_words"]].equals(tables[0][["id", "has_words"]]):
            raise RunError(f"{path}: other clips than in {paths[0]}; {RETRAIN}")
        tables.append(table)
    return tables[0].assign(any_word=np.mean([table["any_word"] for table in tables], axis=0)).set_index("id")


def false_alarms(table: pd.DataFrame) -> pd.DataFrame:
    """Misses and false alarms by threshold of the probability of any word, from the highest to the lowest.

    Returns:
        Columns `threshold`, `missed` (share of the clips with words below it) and `per_hour` (clips without words that
        reach it, per 3,600 clips of one second).
    """
    values = np.sort(table["any_word"].unique())[::-1]
    words, others = (np.sort(table.loc[table["has_words"] == has_words, "any_word"]) for has_words in (1, 0))
    missed = np.searchsorted(words, values) / len(words)
    alarms = 1 - np.searchsorted(others, values) / len(others)
    return pd.DataFrame({"threshold": values, "missed": missed, "per_hour": CLIPS_PER_HOUR * alarms})
