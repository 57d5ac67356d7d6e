"""Status of a sweep: one line per member, also while it runs."""

import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from overlapped_words.errors import RunError
from overlapped_words.messages import count, printable
from overlapped_words.report.summary import align
from overlapped_words.runs.members import Member, error_of, find_members
from overlapped_words.runs.reading import read_epochs
from overlapped_words.runs.status import Status


def print_status(run_dir: Path) -> pd.DataFrame:
    """Print the overview of the members in `run_dir`, and return it."""
    table = overview(find_members(run_dir))
    print(as_text(table))
    return table


def overview(members: Sequence[Member]) -> pd.DataFrame:
    """Collect one row per member.

    Columns: member, status, epochs (completed), max_epochs, val_kl (of the last epoch while training), minutes, note.
    """
    return pd.DataFrame([_row(member) for member in members])


def _row(member: Member) -> dict[str, object]:
    note = _note(member)
    try:
        epochs = read_epochs(member.path / "metrics.csv")
    except RunError as error:
        epochs, note = pd.DataFrame(), str(error)
    latest = epochs["val/kl"].iloc[-1] if "val/kl" in epochs and len(epochs) else np.nan
    return {
        "member": member.name,
        "status": member.status,
        "epochs": len(epochs),
        "max_epochs": member.metrics.get("max_epochs"),
        "val_kl": member.metrics.get("val_kl", latest) if member.status == Status.COMPLETE else latest,
        "minutes": epochs["seconds"].sum() / 60 if len(epochs) else np.nan,  # of completed epochs
        "note": note,
    }


def _note(member: Member) -> str:
    if member.status in (Status.RUNNING, Status.INTERRUPTED):
        process = f"process {member.metrics.get('pid', '?')} on {member.metrics.get('host', '?')}"
        if not member.last_heartbeat:
            return f"{process}, no heartbeat"
        age = timedelta(seconds=round(max(0, time.time() - member.last_heartbeat)))
        return f"{process}, last heartbeat {age} ago"
    if member.status == Status.FAILED:
        return error_of(member.metrics)
    return member.fault if member.status in (Status.UNREADABLE, Status.NOT_STARTED) else ""


def as_text(table: pd.DataFrame) -> str:
    """Format the overview as aligned columns, followed by the number of members per status."""
    shown = pd.DataFrame(
        {
            "member": table["member"],
            "status": table["status"],
            "epochs": table["epochs"].astype(str)
            + " of "
            + table["max_epochs"].map("{:.0f}".format, na_action="ignore"),
            "val KL": table["val_kl"].map("{:.4f}".format, na_action="ignore"),
            "minutes": table["minutes"].map("{:.1f}".format, na_action="ignore"),
        }
    )
    header, *lines = align(shown.astype(object).fillna(""))
    lines = [f"{line}  {printable(note)}".rstrip() for line, note in zip(lines, table["note"], strict=True)]
    statuses = ", ".join(f"{number} {status}" for status, number in table["status"].value_counts().items())
    footer = f"{count(len(table), 'member')}: {printable(statuses)}"
    return "\n".join([f"{header}  note", "-" * len(header), *lines, "", footer])
