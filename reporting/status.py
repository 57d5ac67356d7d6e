"""How far a sweep is: one line a member, while it runs too."""

import time
from collections.abc import Sequence
from datetime import timedelta

import numpy as np
import pandas as pd

from runs.members import Member, read_epochs
from runs.tables import align


def overview(members: Sequence[Member]) -> pd.DataFrame:
    """Columns: member, status, epochs (done), max_epochs, val_kl (so far the last epoch's), minutes, note."""
    return pd.DataFrame([_row(member) for member in members])


def _row(member: Member) -> dict[str, object]:
    held = member.metrics
    epochs = read_epochs(member)
    seconds = epochs["seconds"].sum() if len(epochs) else np.nan  # of an interrupted epoch nothing is known
    latest = epochs["val/kl"].iloc[-1] if "val/kl" in epochs else np.nan
    return {
        "member": member.name,
        "status": member.status,
        "epochs": len(epochs),
        "max_epochs": held.get("max_epochs"),
        "val_kl": held.get("val_kl", latest) if member.status == "complete" else latest,
        "minutes": seconds / 60,
        "note": _note(member),
    }


def _note(member: Member) -> str:
    where = "process {pid} on {host}".format_map({"pid": "?", "host": "?", **member.metrics})
    if member.status in ("running", "interrupted"):
        if not member.last_sign:
            return f"{where}, no sign of life"
        return f"{where}, last sign of life {timedelta(seconds=round(time.time() - member.last_sign))} ago"
    if member.status == "failed":
        return (str(member.metrics.get("error") or "").strip().splitlines() or ["train.log says why"])[-1]
    return member.fault if member.status == "unreadable" else ""


def as_text(table: pd.DataFrame) -> str:
    """The overview as aligned columns, and below it how many members are in which state."""
    rows = [["member", "status", "epochs", "val KL", "minutes", "note"]]
    for row in table.to_dict("records"):
        epochs = f"{row['epochs']} of {row['max_epochs']:.0f}" if pd.notna(row["max_epochs"]) else ""
        figures = [
            "" if pd.isna(row["val_kl"]) else f"{row['val_kl']:.4f}",
            "" if pd.isna(row["minutes"]) else f"{row['minutes']:.1f}",
        ]
        rows.append([row["member"], row["status"], epochs, *figures, row["note"]])
    lines = [line.rstrip() for line in align(rows, left=(0, 1, 5))]
    counts = ", ".join(f"{count} {status}" for status, count in table["status"].value_counts().items())
    return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:], "", f"{len(table)} members: {counts}"])
