"""Metrics of members and ensembles, as a table, as text for the terminal and as Markdown."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from overlapped_words.ensembling.combine import Tables, combine
from overlapped_words.ensembling.ensemble import Ensemble
from overlapped_words.ensembling.metrics import kl_divergence, recall, uniform_kl, uniform_recall
from overlapped_words.ensembling.stacking import NUM_PARTS, StackingWeights
from overlapped_words.report.template import markdown
from overlapped_words.runs.members import Member
from overlapped_words.runs.tables import align

# Values of the column `kind`: what a row is.
MEMBER, POOL, MEAN, STACKED = "member", "pool ensemble", "ensemble", "stacked ensemble"
UNIFORM = "uniform prediction"

# Columns that are shown, with their headings and formats.
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
METRICS = tuple(LAYOUT)[4:]
LEGEND = """\
- **fold**: the fold of a cross-validation (`data.fold`) that the member was validated on. Ensembles are then evaluated
  on all folds together with out-of-fold predictions: each clip is predicted by the members that did not train on it.
- **val KL**, **test KL**: mean Kullback-Leibler divergence from targets to predictions of the validation or test clips,
  in nats; lower is better. Test KL is shown only if the targets of the test clips are known.
- **recall**: fraction of a validation clip's k true words that are among its k most probable words.
- **minutes**: training time; for an ensemble, the sum over its members.
- **weight**: weight of a member's log-probabilities in the stacked ensemble (`combine=stacked`). Its validation metrics
  are those of held-out clips. All other ensembles are means.
- The **uniform prediction** gives every word the same probability and is the baseline.
"""


def metrics_table(ensemble: Ensemble) -> pd.DataFrame:
    """Compute the metrics of each member, of each pool if there are several, and of the ensembles.

    Returns:
        Columns: member (or the name of an ensemble), kind, pool, seed, fold, members (count), val_kl, val_recall,
        test_kl, minutes, weight; NaN where unknown. The row of the stacked ensemble exists only if stacking is used.
    """
    members, tables, stacking = ensemble.members, ensemble.tables, ensemble.used_stacking
    weights = stacking.weights if stacking else {}
    rows = [
        {
            "member": member.name,
            "kind": MEMBER,
            "seed": member.seed,
            "fold": member.fold,
            "weight": weights.get(member.name),
            **_row([member], combine([member], tables)),
        }
        for member in members
    ]
    pools = dict.fromkeys(member.pool for member in members)
    if len(pools) > 1:
        for pool in pools:
            own = [member for member in members if member.pool == pool]
            rows.append({"member": f"{pool} ensemble ({len(own)})", "kind": POOL, **_row(own, combine(own, tables))})
    rows.append({"member": f"{MEAN} ({len(members)})", "kind": MEAN, **_row(members, ensemble.mean)})
    if stacking:
        rows.append({"member": f"{STACKED} ({len(members)})", "kind": STACKED, **_row(members, stacking.tables)})
    rows.append({"member": UNIFORM, "kind": UNIFORM, **_uniform_metrics(ensemble.mean)})
    table = pd.DataFrame(rows, columns=["member", "kind", "pool", "seed", "fold", "members", *METRICS])
    return table.astype({**dict.fromkeys(("seed", "fold", "members"), "Int64"), **dict.fromkeys(METRICS, float)})


def _row(members: Sequence[Member], combined: Tables) -> dict[str, object]:
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


def _uniform_metrics(combined: Tables) -> dict[str, object]:
    row: dict[str, object] = {}
    if "val_answers" in combined:
        targets = combined["val_answers"].to_numpy()
        row |= {"val_kl": uniform_kl(targets).mean(), "val_recall": uniform_recall(targets).mean()}
    if "test_answers" in combined:
        row["test_kl"] = uniform_kl(combined["test_answers"].to_numpy()).mean()
    return row


def final_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Return two rows of the metrics: the ensemble of submission.csv and the uniform prediction."""
    submission = table[table["kind"].isin((MEAN, STACKED))].tail(1)
    return pd.concat([submission, table[table["kind"] == UNIFORM]])


def cells(table: pd.DataFrame) -> list[list[str]]:
    """Format the metrics as headings and rows, without the columns that have no value."""
    shown = [column for column in LAYOUT if table[column].notna().any()]
    rows = [
        ["" if pd.isna(value) else LAYOUT[column][1].format(value) for column, value in zip(shown, row, strict=True)]
        for row in table[shown].itertuples(index=False)
    ]
    return [[LAYOUT[column][0] for column in shown], *rows]


def as_text(table: pd.DataFrame) -> str:
    """Format the metrics as aligned columns, with a rule below the headings and one below the members."""
    lines = align(cells(table), left=(0, 1))  # member and pool
    rule = "-" * len(lines[0])
    num_members = int((table["kind"] == MEMBER).sum())
    return "\n".join([lines[0], rule, *lines[1 : num_members + 1], rule, *lines[num_members + 1 :]])


def headline(table: pd.DataFrame) -> str:
    """Compare the ensemble with its members and the uniform prediction in a sentence; empty without targets."""
    for column, split in (("val_kl", "Validation"), ("test_kl", "Test")):
        if table[column].notna().any():
            ensemble, uniform = final_rows(table)[column]
            members = table[table["kind"] == MEMBER]
            best = members.nsmallest(1, column).iloc[0]
            rival = f"best member {best['member']} {best[column]:.4f}"
            if members["fold"].notna().any():  # KLs on different clips: the best member may have the easiest ones
                rival = f"mean of its members {members[column].mean():.4f}"
            return f"{split} KL of the ensemble: {ensemble:.4f} ({rival}, {UNIFORM} {uniform:.4f})"
    return ""


def verdict(stacking: StackingWeights) -> str:
    """State in a sentence whether stacking is used."""
    kls = f"KL {stacking.val_kl:.4f} on held-out validation clips ({NUM_PARTS} parts) vs. {stacking.mean_kl:.4f}"
    return f"Stacked: {kls} of the mean; {'used' if stacking.better_than_mean else 'not better, using the mean'}"


def as_markdown(ensemble: Ensemble, table: pd.DataFrame) -> str:
    """Format the metrics as the page report.md."""
    header, *rows = cells(table)
    marks = [":--", ":--", *["--:"] * (len(header) - 2)]
    lines = [f"# {markdown(ensemble.title)}", ""]
    sentences = headline(table), verdict(ensemble.stacking) if ensemble.stacking else ""
    for text in filter(None, sentences):
        lines += [markdown(text), ""]
    lines += ["| " + " | ".join(row) + " |" for row in (header, marks, *(map(markdown, row) for row in rows))]
    if ensemble.errors:
        reasons = (f"- {markdown(name)}: {markdown(reason)}" for name, reason in ensemble.errors.items())
        lines += ["", "## Left out", "", *reasons]
    return "\n".join(lines) + "\n\n## Columns\n\n" + LEGEND
