"""Status of a sweep: one line per member, also while it runs."""

import time
from datetime import timedelta
from pathlib import Path

import pandas as pd

from overlapped_words.errors import RunError
from overlapped_words.messages import count, printable
from overlapped_words.report.summary import align
from overlapped_words.runs.folder import Status
from overlapped_words.runs.members import Member, error_of, find_members
from overlapped_words.runs.reading import read_epochs


def print_status(run_dir: Path) -> pd.DataFrame:
    """Print one line per member in `run_dir` and the number of members by status.

    Returns:
        What is printed, as text. Columns: member, status, epochs (completed), val KL (of the last epoch while
        training), minutes, note.
    """
    table = pd.DataFrame([_row(member) for member in find_members(run_dir)])
    header, *lines = align(table.drop(columns="note"))
    print(f"{header}  note", "-" * len(header), sep="\n")
    for line, note in zip(lines, table["note"], strict=True):
        print(f"{line}  {printable(note)}".rstrip())
    statuses = ", ".join(f"{number} {printable(str(name))}" for name, number in table["status"].value_counts().items())
    print(f"\n{count(len(table), 'member')}: {statuses}")
    return table


def _row(member: Member) -> dict[str, str]:
    note, metrics = _note(member), member.metrics
    try:
        epochs = read_epochs(member.path / "metrics.csv")
    except RunError as error:
        epochs, note = pd.DataFrame(), str(error)
    kl = epochs["val/kl"].iloc[-1] if "val/kl" in epochs and len(epochs) else None
    kl = metrics.get("val_kl", kl) if member.status == Status.COMPLETE else kl
    return {
        "member": member.name,
        "status": str(member.status),
        "epochs": f"{len(epochs)} of {metrics['max_epochs']}" if metrics.get("max_epochs") else "",
        "val KL": "" if kl is None else f"{kl:.4f}",
        "minutes": f"{epochs['seconds'].sum() / 60:.1f}" if len(epochs) else "",  # of completed epochs
        "note": note,
    }


def _note(member: Member) -> str:
    if member.status in (Status.RUNNING, Status.INTERRUPTED):
        process = f"process {member.metrics.get('pid', '?')} on {member.metrics.get('host', '?')}"
        age = timedelta(seconds=round(max(0, time.time() - member.last_heartbeat)))
        return f"{process}, " + (f"last heartbeat {age} ago" if member.last_heartbeat else "no heartbeat")
    if member.status == Status.FAILED:
        return error_of(member.metrics)
    return member.fault if member.status in (Status.UNREADABLE, Status.NOT_STARTED) else ""
