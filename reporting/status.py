"""How far a sweep is: one line a member, while it runs too."""

import time
from collections.abc import Sequence
from datetime import timedelta

import numpy as np
import pandas as pd

from errors import RunError
from messages import count, printable
from runs.members import Member, error_of
from runs.reading import read_epochs
from runs.status import Status
from runs.tables import align


def overview(members: Sequence[Member]) -> pd.DataFrame:
    """Columns: member, status, epochs (done), max_epochs, val_kl (so far the last epoch's), minutes, note."""
    return pd.DataFrame([_row(member) for member in members])


def _row(member: Member) -> dict[str, object]:
    held, note = member.metrics, _note(member)
    try:
        epochs = read_epochs(member.path / "metrics.csv")
    except RunError as error:
        epochs, note = pd.DataFrame(), str(error)
    seconds = epochs["seconds"].sum() if len(epochs) else np.nan  # of an interrupted epoch nothing is known
    latest = epochs["val/kl"].iloc[-1] if "val/kl" in epochs and len(epochs) else np.nan
    return {
        "member": member.name,
        "status": member.status,
        "epochs": len(epochs),
        "max_epochs": held.get("max_epochs"),
        "val_kl": held.get("val_kl", latest) if member.status == Status.COMPLETE else latest,
        "minutes": seconds / 60,
        "note": note,
    }


def _note(member: Member) -> str:
    held = member.metrics
    if member.status in (Status.RUNNING, Status.INTERRUPTED):
        where = f"process {held.get('pid', '?')} on {held.get('host', '?')}"
        if not member.last_heartbeat:
            return f"{where}, no sign of life"
        silence = timedelta(seconds=round(max(0, time.time() - member.last_heartbeat)))
        return f"{where}, last sign of life {silence} ago"
    if member.status == Status.FAILED:
        return error_of(held)
    return member.fault if member.status in (Status.UNREADABLE, Status.NOT_STARTED) else ""


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
    counts = ", ".join(
        f"{number} {printable(str(status))}" for status, number in table["status"].value_counts().items()
    )
    rule = "-" * min(120, max(map(len, lines)))
    return "\n".join([lines[0], rule, *lines[1:], "", f"{count(len(table), 'member')}: {counts}"])
