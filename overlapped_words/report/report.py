"""Combine the members of a sweep and write the submission and the reports."""

from pathlib import Path

import pandas as pd

from overlapped_words.ensembling.combine import average_scores
from overlapped_words.ensembling.combined import CombinedMembers, combine_members
from overlapped_words.ensembling.ensemble_file import format_ensemble
from overlapped_words.ensembling.error_analysis import fit_threshold
from overlapped_words.messages import count, first_names
from overlapped_words.report import card, status, summary
from overlapped_words.runs.files import write_files
from overlapped_words.runs.folder import Status
from overlapped_words.runs.members import REMEDIES
from overlapped_words.settings.ensemble import Ensemble as Settings
from overlapped_words.tables import format_table

FILES = {
    "predictions": "submission.csv",
    "val_predictions": "ensemble_val_predictions.csv",
    "val_answers": "ensemble_val_answers.csv",
}


def run(settings: Settings) -> pd.DataFrame:
    """Combine the members in `run_dir` and write the results there; with `status`, only print their status.

    Returns:
        The metrics, see `report.summary.metrics_table`; with `status` the table of `report.status.print_status`.

    Raises:
        RunError: see `combine_members`; nothing is written then.
    """
    run_dir = Path(settings.run_dir)
    if settings.status:
        return status.print_status(run_dir)
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
