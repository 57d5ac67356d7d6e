"""What a person looks at: the figures of members and ensembles, as a table for the terminal and as pages."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ensembling.combine import Tables, combine
from ensembling.metrics import kl_divergence, recall, uniform_kl, uniform_recall
from ensembling.stacking import NUM_PARTS, FittedStacking
from reporting.template import markdown
from runs.members import Member
from runs.tables import align

# Column of the figures -> how a person reads it: its heading and format.
LAYOUT = {
    "member": ("member", "{}"),
    "pool": ("pool", "{}"),
    "seed": ("seed", "{}"),
    "fold": ("fold", "{}"),
    "val_kl": ("val KL", "{:.4f}"),
    "val_recall": ("recall", "{:.1%}"),
    "test_kl": ("test KL", "{:.4f}"),
    "minutes": ("minutes", "{:.1f}"),
    "weight": ("weight", "{:.3f}"),
}
MEASURED = tuple(LAYOUT)[4:]
LEGEND = """\
- **fold**: the part of the data that a cross-validation (`data.fold`) kept from a member's training and validated it
  on. Pools and ensembles are then scored on all folds together, by out-of-fold predictions: those of a clip are the
  mean of the members that never trained on it, and of no other.
- **val KL**, **test KL**: Kullback-Leibler divergence from the answers to the predictions, in nats, the mean over the
  validation or test clips; lower is better. The test split's is there only where its answers are known.
- **recall**: of a validation clip's k true words, the share among the k most probable.
- **minutes**: training time; that of an ensemble is the sum over its members.
- **weight**: what a member's log-probabilities count in the stacked ensemble (`combine=stacked`), whose validation
  figures are those of clips that its weights were not fitted on; pools and the plain ensemble are means all the same.
- The **constant answer** gives every word the same probability: what a model that knows nothing scores.
"""


def figures(
    members: Sequence[Member], tables: dict[str, Tables], stacking: FittedStacking | None = None
) -> pd.DataFrame:
    """One row a member, one a pool (where there are several), one for the mean of all, one for them
    stacked (with `stacking`), one for the constant answer.

    Columns: member, pool, seed, fold, members (how many), val_kl, val_recall, test_kl, minutes, weight; NaN where not
    known.
    """
    weights = stacking.weights if stacking else {}
    rows = [
        {
            "member": member.name,
            "seed": member.seed,
            "fold": member.fold,
            "weight": weights.get(member.name),
            **_score([member], combine([member], tables)),
        }
        for member in members
    ]
    pools = dict.fromkeys(member.pool for member in members)
    if len(pools) > 1:
        for pool in pools:
            same = [member for member in members if member.pool == pool]
            rows.append({"member": f"{pool} ensemble ({len(same)})", **_score(same, combine(same, tables))})
    mean = combine(members, tables)
    rows.append({"member": f"ensemble ({len(members)})", **_score(members, mean)})
    if stacking:
        rows.append({"member": f"stacked ensemble ({len(members)})", **_score(members, stacking.tables)})
    rows.append({"member": "constant answer", **_score_constant(mean)})
    table = pd.DataFrame(rows, columns=["member", "pool", "seed", "fold", "members", *MEASURED])
    return table.astype({**dict.fromkeys(("seed", "fold", "members"), "Int64"), **dict.fromkeys(MEASURED, float)})


def _score(members: Sequence[Member], combined: Tables) -> dict[str, object]:
    pools = {member.pool for member in members}
    seconds = [member.metrics.get("train_seconds") or np.nan for member in members]
    row = {"pool": pools.pop() if len(pools) == 1 else None, "members": len(members), "minutes": np.sum(seconds) / 60}
    if "val_answers" in combined:
        pair = combined["val_answers"].to_numpy(), combined["val_predictions"].to_numpy()
        row |= {"val_kl": kl_divergence(*pair).mean(), "val_recall": recall(*pair).mean()}
    if "test_answers" in combined:
        pair = combined["test_answers"].to_numpy(), combined["predictions"].to_numpy()
        row["test_kl"] = kl_divergence(*pair).mean()
    return row


def _score_constant(answers: Tables) -> dict[str, object]:
    row: dict[str, object] = {}
    if "val_answers" in answers:
        values = answers["val_answers"].to_numpy()
        row |= {"val_kl": uniform_kl(values).mean(), "val_recall": uniform_recall(values).mean()}
    if "test_answers" in answers:
        row["test_kl"] = uniform_kl(answers["test_answers"].to_numpy()).mean()
    return row


def cells(table: pd.DataFrame) -> list[list[str]]:
    """Headings and rows as text, without the columns in which nothing is known."""
    shown = [column for column in LAYOUT if table[column].notna().any()]
    rows = [
        ["" if pd.isna(value) else LAYOUT[column][1].format(value) for column, value in zip(shown, row, strict=True)]
        for row in table[shown].itertuples(index=False)
    ]
    return [[LAYOUT[column][0] for column in shown], *rows]


def as_text(table: pd.DataFrame) -> str:
    """The figures as aligned columns, with rules below the headings and below the members."""
    lines = align(cells(table), left=(0, 1))  # the member and its pool are words
    rule = "-" * len(lines[0])
    num_members = int(table["seed"].notna().sum())
    return "\n".join([lines[0], rule, *lines[1 : num_members + 1], rule, *lines[num_members + 1 :]])


def headline(table: pd.DataFrame) -> str:
    """The ensemble against its members and the constant answer, in a sentence; empty where no answers are known."""
    for column, split in (("val_kl", "Validation"), ("test_kl", "Test")):
        if table[column].notna().any():
            ensemble, constant = table[column].iloc[-2:]
            members = table[table["seed"].notna()]
            best = members.nsmallest(1, column).iloc[0]
            rival = f"best member {best['member']} {best[column]:.4f}"
            if members["fold"].notna().any():  # each scored on clips of its own: the best one had the easiest
                rival = f"mean of its members {members[column].mean():.4f}"
            return f"{split} KL of the ensemble: {ensemble:.4f} ({rival}, constant answer {constant:.4f})"
    return ""


def verdict(stacking: FittedStacking) -> str:
    """Whether a fitted stack is taken instead of the mean, in a sentence."""
    against = (
        f"KL {stacking.val_kl:.4f} on held-out validation clips ({NUM_PARTS} parts), {stacking.mean_kl:.4f} of the mean"
    )
    return f"Stacked: {against}; {'taken' if stacking.better_than_mean else 'no better, so the plain mean is taken'}"


def as_markdown(
    title: str, table: pd.DataFrame, left_out: dict[str, str], stacking: FittedStacking | None = None
) -> str:
    """The page report.md; `left_out` gives the reasons by member name, `stacking` is what was fitted, used or not."""
    header, *rows = cells(table)
    marks = [":--", ":--", *["--:"] * (len(header) - 2)]
    lines = [f"# {markdown(title)}", ""]
    for text in filter(None, (headline(table), verdict(stacking) if stacking else "")):
        lines += [markdown(text), ""]
    lines += ["| " + " | ".join(row) + " |" for row in (header, marks, *(map(markdown, row) for row in rows))]
    if left_out:
        reasons = (f"- {markdown(name)}: {markdown(reason)}" for name, reason in left_out.items())
        lines += ["", "## Left out", "", *reasons]
    return "\n".join(lines) + "\n\n## What the columns say\n\n" + LEGEND
