"""How often a clip without words is taken for one with words, and the reverse."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from overlapped_words.errors import RunError
from overlapped_words.runs.members import Member
from overlapped_words.runs.reading import RETRAIN

COLUMNS = ["id", "has_words", "any_word"]
CLIPS_PER_HOUR = 3_600  # of one second


def average_any_word(members: Sequence[Member]) -> pd.DataFrame | None:
    """The mean of the members' any_word.csv: `has_words` and `any_word`, by clip; None if a member has none.

    Raises:
        RunError: a file is damaged, or has other clips than that of the first member.
    """
    paths = [member.path / "any_word.csv" for member in members]
    if not all(path.is_file() for path in paths):
        return None
    first, *others = (_read(path) for path in paths)
    for path, table in zip(paths[1:], others, strict=True):
        if not table[COLUMNS[:2]].equals(first[COLUMNS[:2]]):
            raise RunError(f"{path}: other clips than in {paths[0]}; {RETRAIN}")
    return first.assign(any_word=np.mean([table["any_word"] for table in (first, *others)], axis=0)).set_index("id")


def _read(path: Path) -> pd.DataFrame:
    try:
        table = pd.read_csv(path, dtype={"id": str, "has_words": int, "any_word": float})
    except (OSError, ValueError) as error:
        raise RunError(f"{path}: cannot be read as a table ({error}); {RETRAIN}") from error
    if list(table) != COLUMNS or not table["has_words"].isin([0, 1]).all() or table["has_words"].nunique() < 2:
        raise RunError(f"{path}: not a table of clips with and without words; {RETRAIN}")
    return table


def false_alarms(table: pd.DataFrame) -> pd.DataFrame:
    """What each threshold of the probability of any word costs, from the highest threshold to the lowest.

    Returns:
        Columns `threshold`, `missed` (share of the clips with words below it) and `per_hour` (clips without words that
        reach it, per 3,600 clips of one second).
    """
    values = np.sort(table["any_word"].unique())[::-1]
    words = np.sort(table.loc[table["has_words"] == 1, "any_word"])
    others = np.sort(table.loc[table["has_words"] == 0, "any_word"])
    missed = np.searchsorted(words, values) / len(words)
    alarms = 1 - np.searchsorted(others, values) / len(others)
    return pd.DataFrame({"threshold": values, "missed": missed, "per_hour": CLIPS_PER_HOUR * alarms})
