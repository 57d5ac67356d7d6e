"""From members to one table: which of them belong together, and averaging."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from errors import RunError
from messages import first_names
from runs.members import TABLES, TARGETS_OF, Member, read_tables
from runs.reading import RETRAIN
from runs.tables import difference

Tables = dict[str, pd.DataFrame]  # a member's tables by file name without `.csv`


def average(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """The mean of members' tables, by member name, each row scaled to sum to 1 exactly.

    Raises:
        RunError: ids, columns or their order differ from those of the first; the message names the member.
    """
    first, *others = tables
    for name in others:
        if text := difference(tables[name], tables[first]):
            raise RunError(f"{name}: {text} than {first}; {RETRAIN}")
    mean = np.mean([table.to_numpy() for table in tables.values()], axis=0)
    mean /= mean.sum(axis=1, keepdims=True)  # tables are rounded, and may be off by as much as read_table allows
    return pd.DataFrame(mean, index=tables[first].index, columns=tables[first].columns)


def combine(members: Sequence[Member], tables: dict[str, Tables]) -> Tables:
    """The averages of members' predictions, and the answers to them, for the splits that they have.

    Validation tables are averaged within each fold, and the folds stand one below the other, the first at the top:
    every clip is predicted by those members alone that did not train on it. `tables` as `gather` gives them.

    Raises:
        RunError: members with and without a fold, or folds that share a validation clip.
    """
    everyone = {member.name: tables[member.name] for member in members}
    groups = {"predictions": [everyone], "val_predictions": by_fold(members, tables)}
    combined: Tables = {}
    for kind, answers in TARGETS_OF.items():
        firsts = [next(iter(group.values())) for group in groups[kind]]
        if kind in firsts[0]:
            means = [average({name: held[kind] for name, held in group.items()}) for group in groups[kind]]
            combined[kind] = pd.concat(means)
        if answers in firsts[0]:
            combined[answers] = pd.concat([held[answers] for held in firsts])
    return combined


def by_fold(members: Sequence[Member], tables: dict[str, Tables]) -> list[dict[str, Tables]]:
    """The tables of each fold's members, fold by fold; of members without folds, one group of all."""
    sweep = members[0].path.parent
    without = [member.name for member in members if member.fold is None]
    within = [member.name for member in members if member.fold is not None]
    if without and within:
        raise RunError(
            f"{sweep}: {first_names(without)} trained without data.fold, {first_names(within)} with it; "
            "move one kind to a folder of its own"
        )
    folds = sorted({member.fold for member in members}, key=lambda fold: fold or 0)
    groups = [{member.name: tables[member.name] for member in members if member.fold == fold} for fold in folds]
    seen: dict[str, str] = {}
    for name, held in (next(iter(group.items())) for group in groups):
        for clip in held.get("val_predictions", pd.DataFrame()).index:
            if clip in seen:
                raise RunError(
                    f"{sweep / name}: validates on {clip}, as {seen[clip]} does, which is of another fold; "
                    "train one of them again with the data, data.val_fraction and data.split_seed of the other"
                )
            seen[clip] = name
    return groups


def gather(members: Sequence[Member]) -> tuple[dict[str, Tables], dict[str, str]]:
    """The tables of the members that can be averaged, and the faults of the others, both by name.

    Where tables disagree, the most numerous members that agree are right; among as many, the earlier. Members of
    different folds need not agree in their validation clips.
    """
    faults = {member.name: member.fault for member in members if member.fault}
    tables: dict[str, Tables] = {}
    for member in members:
        if not member.fault:
            try:
                tables[member.name] = read_tables(member)
            except RunError as error:
                faults[member.name] = str(error)
    paths = {member.name: member.path for member in members}
    folds = {member.name: member.fold for member in members}

    def leave_out(found: dict[str, str]) -> None:
        for name, text in found.items():
            faults[name] = f"{paths[name]}: {text}; {RETRAIN}"
            del tables[name]

    leave_out(_without_predictions(tables))
    leave_out(_outvoted({name: _without_validation_clips(held) for name, held in tables.items()}))
    for fold in dict.fromkeys(folds.values()):
        leave_out(_outvoted({name: held for name, held in tables.items() if folds[name] == fold}))
    return tables, faults


def _without_validation_clips(tables: Tables) -> Tables:
    """What members of different folds have in common."""
    return {name: table.iloc[:0] if name.startswith("val_") else table for name, table in tables.items()}


def _without_predictions(tables: dict[str, Tables]) -> dict[str, str]:
    """Members without predictions.csv where at least one has it: their source has a test split, so it got lost."""
    lost = [name for name, held in tables.items() if "predictions" not in held]
    return dict.fromkeys(lost, "no predictions.csv, which others have") if len(lost) < len(tables) else {}


def _outvoted(tables: dict[str, Tables]) -> dict[str, str]:
    """Members outside the largest group of those that agree, and how they differ from it."""
    groups: list[list[str]] = []
    for name in tables:
        for group in groups:
            if not disagreement(tables[name], tables[group[0]]):
                group.append(name)
                break
        else:
            groups.append([name])
    right = max(groups, key=len, default=[])
    return {
        name: f"{disagreement(tables[name], tables[right[0]])} than {right[0]}" for name in tables if name not in right
    }


def disagreement(tables: Tables, reference: Tables) -> str:
    """How a member's tables differ, apart from the probabilities, from those of another; empty where they agree."""
    for name in TABLES:
        if (name in tables) != (name in reference):
            return f"other tables ({name}.csv is {'only here' if name in tables else 'missing'})"
        if name not in tables:
            continue
        if text := difference(tables[name], reference[name]):
            return f"{name}.csv has {text}"
        if name in TARGETS_OF.values():
            same = np.isclose(tables[name], reference[name], rtol=0, atol=1e-6).all(axis=1)
            if not same.all():
                return f"{name}.csv has other answers (the first: {tables[name].index[int(same.argmin())]})"
    return ""
