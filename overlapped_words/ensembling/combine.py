"""Check which members belong together, and average their tables."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from overlapped_words.errors import RunError
from overlapped_words.runs.members import Member, read_tables
from overlapped_words.runs.reading import RETRAIN, TABLES, TARGETS_OF, check_file
from overlapped_words.tables import difference, read_csv

Tables = dict[str, pd.DataFrame]  # a member's tables by file name without `.csv`


def average(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Average members' tables of the same clips and words; every row of the result sums to 1 exactly."""
    mean = np.mean([table.to_numpy() for table in tables], axis=0)
    mean /= mean.sum(axis=1, keepdims=True)  # the tables are rounded; read_table accepts sums within its tolerance
    return pd.DataFrame(mean, index=tables[0].index, columns=tables[0].columns)


def average_scores(members: Sequence[Member], name: str) -> pd.DataFrame | None:
    """The mean of the members' any_word.csv or event_score.csv: `has_words` and `name`; None if a member has none.

    Raises:
        RunError: a file is damaged, or has other clips than that of the first member of its fold.
    """
    paths, columns = [member.path / f"{name}.csv" for member in members], {"id": str, "has_words": int, name: float}
    if not all(path.is_file() for path in paths):
        return None
    first_of: dict[int | None, tuple[Path, str]] = {}  # by fold: its first file, and the clips in it
    tables: dict[str, list[pd.DataFrame]] = {}  # by their clips
    for member, path in zip(members, paths, strict=True):
        check_file(path, RETRAIN)
        table = read_csv(path, RunError, dtype=columns)
        if list(table) != list(columns) or set(table["has_words"]) != {0, 1}:
            raise RunError(f"{path}: not a table of clips with and without words; {RETRAIN}")
        clips = table[["id", "has_words"]].to_csv(index=False)
        first, expected = first_of.setdefault(member.fold, (path, clips))
        if clips != expected:
            raise RunError(f"{path}: other clips than in {first}; {RETRAIN}")
        tables.setdefault(clips, []).append(table)
    means = [same[0].assign(**{name: np.mean([each[name] for each in same], axis=0)}) for same in tables.values()]
    return pd.concat(means).set_index("id")


def combine(members: Sequence[Member], tables: dict[str, Tables]) -> Tables:
    """Average the predictions of `members` per split; add the targets where they are known.

    Validation tables are averaged within each fold, then concatenated in the order of the folds. So every clip is
    predicted only by members that did not train on it.

    Args:
        members: at least one.
        tables: from `gather`.

    Raises:
        RunError: two folds share a validation clip.
    """
    combined: Tables = {}
    for kind in tables[members[0].name]:
        groups = by_fold(members, tables, kind)
        combined[kind] = pd.concat([average(group) if kind in TARGETS_OF else group[0] for group in groups])
        if combined[kind].index.has_duplicates:
            clip = combined[kind].index[combined[kind].index.duplicated()][0]
            raise RunError(
                f"{members[0].path.parent}: the validation clip {clip} is in two folds; train all members with a fold, "
                "and with the same data, data.val_fraction and data.split_seed"
            )
    return combined


def by_fold(members: Sequence[Member], tables: dict[str, Tables], kind: str) -> list[list[pd.DataFrame]]:
    """The members' tables named `kind`: those of the validation by fold, in order, others in one group."""
    if not kind.startswith("val_"):
        return [[tables[member.name][kind] for member in members]]
    folds = sorted({member.fold or 0 for member in members})
    return [[tables[member.name][kind] for member in members if (member.fold or 0) == fold] for fold in folds]


def member_probs(members: Sequence[Member], tables: dict[str, Tables], kind: str) -> np.ndarray:
    """Collect the members' tables named `kind` in one array `(M, N, num_classes)`, clips in the order of `combine`.

    In a cross-validation, each validation clip has predictions only from the members of its fold. There, row m joins
    the m-th members of all folds, and M is the number of members of the smallest fold.
    """
    return np.stack([np.concatenate(parts) for parts in zip(*by_fold(members, tables, kind), strict=False)])


def gather(members: Sequence[Member]) -> tuple[dict[str, Tables], dict[str, str]]:
    """Read the tables of the members that can be combined; return an error message for each of the others.

    All must agree with the first in everything but the validation clips, and with the first of their fold in these too.

    Returns:
        Tables and errors, both by member name.
    """
    errors = {member.name: member.fault for member in members if member.fault}
    tables: dict[str, Tables] = {}
    first_of: dict[tuple[str, int | None], Member] = {}
    for member in members:
        if member.fault:
            continue
        try:
            tables[member.name] = read_tables(member)
            for split, fold in (("test", None), ("val", member.fold)):
                first = first_of.setdefault((split, fold), member)
                if text := _disagreement(member, first, tables, split):
                    raise RunError(f"{member.path}: {text} than {first.name}; {RETRAIN}")
        except RunError as error:
            errors[member.name] = str(error)
            tables.pop(member.name, None)
    return tables, errors


def _disagreement(member: Member, other: Member, tables: dict[str, Tables], split: str) -> str:
    """How two members differ in anything but the probabilities and, if `split` is test, the validation clips."""
    own, reference = tables[member.name], tables[other.name]
    for name in TABLES:
        if (name in own) != (name in reference):
            return f"different tables ({name}.csv is {'only here' if name in own else 'missing'})"
        if name not in own:
            continue
        rows = slice(0) if split == "test" and name.startswith("val_") else slice(None)
        table, expected = own[name].iloc[rows], reference[name].iloc[rows]
        if text := difference(table, expected):
            return f"{name}.csv has {text}"
        if name in TARGETS_OF.values():
            same = np.isclose(table, expected, rtol=0, atol=1e-6).all(axis=1)
            if not same.all():
                return f"{name}.csv has different targets (the first: {table.index[int(same.argmin())]})"
    recordings = {one.metrics.get("fingerprints", {}).get(split, "") for one in (member, other)}
    return "predicts other recordings" if len(recordings - {""}) == 2 else ""
