"""Check which members belong together, and average their tables."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import numpy as np
import pandas as pd

from overlapped_words.errors import RunError
from overlapped_words.messages import first_names
from overlapped_words.runs.members import Member, read_tables
from overlapped_words.runs.reading import RETRAIN
from overlapped_words.runs.tables import TABLES, TARGETS_OF, difference

T = TypeVar("T")
Tables = dict[str, pd.DataFrame]  # a member's tables by file name without `.csv`


def average(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Average members' tables of the same clips and words; every row of the result sums to 1 exactly."""
    mean = np.mean([table.to_numpy() for table in tables], axis=0)
    mean /= mean.sum(axis=1, keepdims=True)  # the tables are rounded; read_table accepts sums within its tolerance
    return pd.DataFrame(mean, index=tables[0].index, columns=tables[0].columns)


def combine(members: Sequence[Member], tables: dict[str, Tables]) -> Tables:
    """Average the predictions of `members` per split; add the targets where they are known.

    Validation tables are averaged within each fold, then concatenated in the order of the folds. So every clip is
    predicted only by members that did not train on it.

    Args:
        members: at least one.
        tables: from `gather`.

    Raises:
        RunError: only some members have a fold, or two folds share a validation clip.
    """
    everyone = [tables[member.name] for member in members]
    combined: Tables = {}
    for kind, targets in TARGETS_OF.items():
        groups = by_fold(members, tables) if kind.startswith("val_") else [everyone]
        if kind in everyone[0]:
            combined[kind] = pd.concat([average([own[kind] for own in group]) for group in groups])
        if targets in everyone[0]:
            combined[targets] = pd.concat([group[0][targets] for group in groups])
        if kind in combined and combined[kind].index.has_duplicates:
            clip = combined[kind].index[combined[kind].index.duplicated()][0]
            raise RunError(
                f"{members[0].path.parent}: the validation clip {clip} is in two folds; train all folds with the same "
                "data, data.val_fraction and data.split_seed"
            )
    return combined


def by_fold(members: Sequence[Member], tables: dict[str, Tables]) -> list[list[Tables]]:
    """Group the tables of `members` by fold, in the order of the folds; one group if no member has a fold.

    Raises:
        RunError: only some members have a fold.
    """
    without = [member.name for member in members if member.fold is None]
    within = [member.name for member in members if member.fold is not None]
    if without and within:
        raise RunError(
            f"{members[0].path.parent}: {first_names(without)} trained without data.fold, {first_names(within)} with "
            "data.fold; move one group to a separate folder"
        )
    folds = sorted({member.fold for member in members}, key=lambda fold: fold or 0)
    return [[tables[member.name] for member in members if member.fold == fold] for fold in folds]


def gather(members: Sequence[Member]) -> tuple[dict[str, Tables], dict[str, str]]:
    """Read the tables of the members that can be combined; return an error message for each of the others.

    Where tables disagree, the largest group of members that agree is kept; on a tie, the group of the earliest member.
    Members of different folds may have different validation clips.

    Returns:
        Tables and errors, both by member name.
    """
    errors = {member.name: member.fault for member in members if member.fault}
    tables: dict[str, Tables] = {}
    for member in members:
        if not member.fault:
            try:
                tables[member.name] = read_tables(member)
            except RunError as error:
                errors[member.name] = str(error)
    by_name = {member.name: member for member in members}

    def leave_out(reasons: dict[str, str]) -> None:
        for name, text in reasons.items():
            errors[name] = f"{by_name[name].path}: {text}; {RETRAIN}"
            del tables[name]

    def leave_out_minority(names: list[str], split: str, view: Callable[[Tables], Tables]) -> None:
        leave_out(_outvoted({name: view(tables[name]) for name in names}, disagreement))
        prints = {name: by_name[name].metrics.get("fingerprints", {}).get(split, "") for name in names}
        leave_out(_outvoted({name: value for name, value in prints.items() if name in tables}, _other_recordings))

    # The data has a test split if a member has a prediction of it.
    missing = [name for name, own in tables.items() if "predictions" not in own]
    if len(missing) < len(tables):
        leave_out(dict.fromkeys(missing, "predictions.csv is missing, but other members have it"))
    # All members must agree in everything but the validation clips, and those of one fold in these too.
    leave_out_minority(list(tables), "test", _without_validation_clips)
    for fold in dict.fromkeys(member.fold for member in members):
        leave_out_minority([name for name in tables if by_name[name].fold == fold], "val", lambda own: own)
    return tables, errors


def _without_validation_clips(tables: Tables) -> Tables:
    """Drop the rows of the validation tables and keep their columns."""
    return {name: table.iloc[:0] if name.startswith("val_") else table for name, table in tables.items()}


def _outvoted(members: Mapping[str, T], compare: Callable[[T, T], str]) -> dict[str, str]:
    """The members that disagree with the majority, and how; `compare` describes how its first argument differs."""
    groups: list[list[str]] = []
    for name, value in members.items():
        group = next((group for group in groups if not compare(value, members[group[0]])), None)
        if group is None:
            groups.append(group := [])
        group.append(name)
    majority = max(groups, key=len, default=[])
    return {
        name: f"{compare(value, members[majority[0]])} than {majority[0]}"
        for name, value in members.items()
        if name not in majority
    }


def _other_recordings(fingerprint: str, reference: str) -> str:
    """Whether both fingerprints are known and differ, as text."""
    return "predicts other recordings" if fingerprint and reference and fingerprint != reference else ""


def disagreement(tables: Tables, reference: Tables) -> str:
    """Describe how `tables` differ from `reference` in anything but the probabilities; empty if they agree."""
    for name in TABLES:
        if (name in tables) != (name in reference):
            return f"different tables ({name}.csv is {'only here' if name in tables else 'missing'})"
        if name not in tables:
            continue
        if text := difference(tables[name], reference[name]):
            return f"{name}.csv has {text}"
        if name in TARGETS_OF.values():
            same = np.isclose(tables[name], reference[name], rtol=0, atol=1e-6).all(axis=1)
            if not same.all():
                return f"{name}.csv has different targets (the first: {tables[name].index[int(same.argmin())]})"
    return ""
