"""Metrics of members and ensembles, as a table, as text for the terminal and as Markdown."""

from collections.abc import Mapping, Sequence
from functools import partial
from inspect import getdoc
from typing import Any

import numpy as np
import pandas as pd

from lightning_modules.metrics import METRICS, format_metric, mean_metrics, uniform
from overlapped_words.ensembling.combine import Tables, combine
from overlapped_words.ensembling.combined import CombinedMembers
from overlapped_words.ensembling.ensemble_file import StackingWeights
from overlapped_words.ensembling.error_analysis import EVENTS_PER_HOUR
from overlapped_words.ensembling.stacking import NUM_PARTS
from overlapped_words.messages import printable
from overlapped_words.report.template import render
from overlapped_words.runs.members import Member

# Values of the column `kind`: what a row is.
MEMBER, POOL, MEAN, STACKED = "member", "pool ensemble", "ensemble", "stacked ensemble"
UNIFORM = "uniform prediction"

SPLITS = {"val": ("val_predictions", "val_answers"), "test": ("predictions", "test_answers")}
SCORES = {f"{split}_{name}": name for split in SPLITS for name in METRICS}  # columns val_kl, ..., test_kl, ...
NUMBERS = {"minutes": "{:.1f}", "weight": "{:.3f}"}


def metrics_table(ensemble: CombinedMembers) -> pd.DataFrame:
    """Compute the metrics of each member, of each pool if there are several, and of the ensembles.

    Returns:
        Columns: member (or the name of an ensemble), kind, pool, seed, fold, members (count), val_kl and so on for each
        split and metric, minutes, weight; NaN where unknown. The row of the stacked ensemble exists only if stacking is
        used.
    """
    members, tables, stacking = ensemble.members, ensemble.tables, ensemble.used_stacking
    rows = [
        _row(member.name, MEMBER, [member], combine([member], tables)) | {"seed": member.seed, "fold": member.fold}
        for member in members
    ]
    pools = dict.fromkeys(member.pool for member in members)
    for pool in pools if len(pools) > 1 else ():
        own = [member for member in members if member.pool == pool]
        rows.append(_row(f"{pool} ensemble ({len(own)})", POOL, own, combine(own, tables)))
    rows.append(_row(f"{MEAN} ({len(members)})", MEAN, members, ensemble.mean))
    if stacking:
        rows.append(_row(f"{STACKED} ({len(members)})", STACKED, members, ensemble.stacked))
    baseline = {kind: uniform(ensemble.mean[kind]) for kind, _ in SPLITS.values() if kind in ensemble.mean}
    rows.append({"member": UNIFORM, "kind": UNIFORM, **_scores(ensemble.mean | baseline)})
    table = pd.DataFrame(rows, columns=["member", "kind", "pool", "seed", "fold", "members", *SCORES, *NUMBERS])
    if stacking:
        table.loc[table["kind"] == MEMBER, "weight"] = [stacking.weights[member.name] for member in members]
    integers = dict.fromkeys(("seed", "fold", "members"), "Int64")
    return table.astype({**integers, **dict.fromkeys((*SCORES, *NUMBERS), float)})


def _row(name: str, kind: str, members: Sequence[Member], combined: Tables) -> dict[str, object]:
    pools = {member.pool or None for member in members}
    seconds = [member.metrics.get("train_seconds") or np.nan for member in members]
    return {
        "member": name,
        "kind": kind,
        "pool": pools.pop() if len(pools) == 1 else None,
        "members": len(members),
        "minutes": np.sum(seconds) / 60,
        **_scores(combined),
    }


def _scores(combined: Mapping[str, Any]) -> dict[str, float]:
    """The mean of each metric over the clips of each split with targets."""
    scores: dict[str, float] = {}
    for split, (predictions, targets) in SPLITS.items():
        if targets in combined:
            means = mean_metrics(np.asarray(combined[targets]), np.asarray(combined[predictions]))
            scores |= {f"{split}_{name}": means[name] for name in METRICS}
    return scores


def final_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Return two rows of the metrics: the ensemble of submission.csv and the uniform prediction."""
    submission = table[table["kind"].isin((MEAN, STACKED))].tail(1)
    return pd.concat([submission, table[table["kind"] == UNIFORM]])


def cells(table: pd.DataFrame) -> list[list[str]]:
    """Format the metrics as headings and rows, without the columns that have no value."""
    shown = table.drop(columns=["kind", "members"]).dropna(axis="columns", how="all")
    for column in map(str, shown):
        form = partial(format_metric, SCORES[column]) if column in SCORES else NUMBERS.get(column, "{}").format
        shown[column] = ["" if pd.isna(value) else form(value) for value in shown[column]]
    headings = [column.replace("_", " ").replace("kl", "KL") if column in SCORES else column for column in shown]
    return [headings, *shown.to_numpy().tolist()]


def as_text(table: pd.DataFrame) -> str:
    """Format the metrics as aligned columns, with a rule below the headings and one below the members."""
    headings, *rows = cells(table)
    lines = align(pd.DataFrame(rows, columns=headings))
    rule = "-" * len(lines[0])
    num_members = int((table["kind"] == MEMBER).sum())
    return "\n".join([lines[0], rule, *lines[1 : num_members + 1], rule, *lines[num_members + 1 :]])


def align(table: pd.DataFrame) -> list[str]:
    """Lines of aligned columns, the first one, `member`, to the left."""
    rows = table.map(printable).set_index("member").rename_axis(index=None, columns="member")
    return rows.to_string().splitlines()


def headline(table: pd.DataFrame) -> str:
    """Compare the ensemble with its members and the uniform prediction in a sentence; empty without targets."""
    for column, split in (("val_kl", "Validation"), ("test_kl", "Test")):
        if table[column].notna().any():
            ensemble, baseline = final_rows(table)[column]
            members = table[table["kind"] == MEMBER]
            best = members.nsmallest(1, column).iloc[0]
            rival = f"best member {best['member']} {best[column]:.4f}"
            if members["fold"].notna().any():  # KLs on different clips: the best member may have the easiest ones
                rival = f"mean of its members {members[column].mean():.4f}"
            return f"{split} KL of the ensemble: {ensemble:.4f} ({rival}, {UNIFORM} {baseline:.4f})"
    return ""


def verdict(stacking: StackingWeights) -> str:
    """State in a sentence whether stacking is used."""
    kls = f"KL {stacking.val_kl:.4f} on held-out validation clips ({NUM_PARTS} parts) vs. {stacking.mean_kl:.4f}"
    return f"Stacked: {kls} of the mean; {'used' if stacking.better_than_mean else 'not better, using the mean'}"


def event_threshold(fitted: dict[str, float] | None) -> str:
    """State in a sentence which threshold of events was fitted, if any."""
    if fitted is None:
        few = f"set data.test_size to {3_600 // EVENTS_PER_HOUR} or more, or train longer"
        return f"Events: default threshold; none was found with {EVENTS_PER_HOUR} events per hour; {few}"
    per_hour = f"{fitted['per_hour']:.0f} events per hour in clips without words"
    return f"Events: threshold {fitted['threshold']:.3f}, {per_hour}, {1 - fitted['missed']:.1%} of the words found"


def as_markdown(ensemble: CombinedMembers, table: pd.DataFrame) -> str:
    """Format the metrics as the page report.md."""
    return render(
        "report.md",
        title=ensemble.title,
        sentences=[headline(table), verdict(ensemble.stacking) if ensemble.stacking else ""],
        cells=cells(table),
        errors=ensemble.errors,
        metrics={name.replace("kl", "KL"): str(getdoc(METRICS[name])).partition("\n")[0] for name in METRICS},
    )
