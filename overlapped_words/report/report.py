"""Combine the members of a sweep and write the submission and the reports."""

import time
from datetime import timedelta
from pathlib import Path

import pandas as pd

from overlapped_words.ensembling.combine import average_scores
from overlapped_words.ensembling.combined import CombinedMembers, combine_members
from overlapped_words.ensembling.ensemble_file import format_ensemble
from overlapped_words.ensembling.error_analysis import fit_threshold
from overlapped_words.errors import RunError
from overlapped_words.messages import count, first_names, printable
from overlapped_words.report import card, summary
from overlapped_words.report.summary import align
from overlapped_words.runs.files import write_files
from overlapped_words.runs.folder import RunFolder, Status
from overlapped_words.runs.members import REMEDIES, Member, error_of, find_members
from overlapped_words.runs.reading import read_epochs
from overlapped_words.settings.scripts import Ensemble as Settings
from overlapped_words.tables import format_table

FILES = {
    "predictions": "submission.csv",
    "val_predictions": "ensemble_val_predictions.csv",
    "val_answers": "ensemble_val_answers.csv",
}


def run(settings: Settings) -> pd.DataFrame:
    """Combine the members in `run_dir` and write the results there; with `status`, only print their status.

    Returns:
        The metrics, see `summary.metrics_table`; with `status` the table of `print_status`.

    Raises:
        RunError: see `combine_members`; nothing is written then.
    """
    run_dir = Path(settings.run_dir)
    if settings.status:
        return print_status(run_dir)
    ensemble = combine_members(run_dir, settings.expect, settings.partial, settings.combine == "stacked")
    metrics = summary.metrics_table(ensemble)
    scores = average_scores(ensemble.members, "event_score")  # None for members that do not know silence
    fitted = None if scores is None else fit_threshold(scores)
    write(ensemble, metrics, fitted, settings.html)
    print_summary(ensemble, metrics, settings)
    if scores is not None:
        print(summary.event_threshold(fitted))
    return metrics


def write(ensemble: CombinedMembers, metrics: pd.DataFrame, fitted: dict[str, float] | None, html: bool) -> None:
    """Write all files of the ensemble into its folder, or none if there is an error."""
    combined = ensemble.combined
    texts = {file: format_table(combined[kind]) for kind, file in FILES.items() if kind in combined}
    texts["members.csv"] = metrics.to_csv(index=False, lineterminator="\n")
    texts["report.md"] = summary.as_markdown(ensemble, metrics)
    events = fitted and {"threshold": fitted["threshold"]}
    texts["ensemble.json"] = format_ensemble(ensemble.members, metrics, ensemble.errors, ensemble.stacking, events)
    texts["model_card.md"] = card.build(ensemble, metrics)
    if html:
        from overlapped_words.report import html_report  # plotly takes as long as everything else here

        texts["report.html"] = html_report.build(ensemble, metrics)
    write_files({ensemble.run_dir / file: text.encode() for file, text in texts.items()})


def print_summary(ensemble: CombinedMembers, metrics: pd.DataFrame, settings: Settings) -> None:
    """Print the metrics, what was left out, and where the results are."""
    print(f"{ensemble.title}\n\n{summary.as_text(metrics)}\n\n{summary.headline(metrics)}".rstrip())
    if ensemble.stacking:
        print(summary.verdict(ensemble.stacking))
    members, errors = ensemble.members, ensemble.errors
    if errors:
        total = len(members) + len(errors)
        print(f"Left out {len(errors)} of {count(total, 'member')}: {', '.join(errors)} (see report.md)")
    if ensemble.not_started:
        print(f"Left out {first_names(ensemble.not_started)}: {REMEDIES[Status.NOT_STARTED]}")
    if settings.expect not in (None, len(members)):
        print(f"Expected {count(settings.expect, 'member')}, combined {len(members)}")
    nothing = "none, the members have no predictions.csv because their data has no test split"
    print(f"Submission: {ensemble.run_dir / 'submission.csv' if 'predictions' in ensemble.combined else nothing}")
    print(f"Report:     {ensemble.run_dir / ('report.html' if settings.html else 'report.md')}")


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
        last = RunFolder(member.path).last_heartbeat
        age = timedelta(seconds=round(max(0, time.time() - last)))
        return f"{process}, " + (f"last heartbeat {age} ago" if last else "no heartbeat")
    if member.status == Status.FAILED:
        return error_of(member.metrics)
    return member.fault if member.status in (Status.UNREADABLE, Status.NOT_STARTED) else ""
