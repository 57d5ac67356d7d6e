"""Run and sweep folders: what a member is, its state and its tables."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from errors import RunError
from messages import first_names, printable
from runs.folder import RunFolder
from runs.reading import RETRAIN, Metrics, read_metrics
from runs.status import Status
from runs.tables import difference, read_table

# The tables a member may hold, by file name without `.csv`: those of predictions, and of the answers to each.
TARGETS_OF = {"predictions": "test_answers", "val_predictions": "val_answers"}
TABLES = (*TARGETS_OF.keys(), *TARGETS_OF.values())

NOT_STARTED, UNREADABLE = "not started", "unreadable"  # beside what metrics.json names
REMEDIES = {
    Status.RUNNING: "not complete, it is being trained; wait for its end",
    Status.INTERRUPTED: "not complete, it was interrupted; repeat its train.py command, which resumes it",
    Status.WAITING: "not complete, its sweep has not started it yet; wait, or delete its folder if that has ended",
    Status.STOPPED: "not complete, trainer.max_time stopped it; repeat its train.py command with a longer one",
    NOT_STARTED: "its sweep ended before it started; repeat the sweep's command to train it",
    Status.FAILED: "not complete, its training failed ({error}); correct that and repeat its train.py command",
}
NO_METRICS = "not complete, its metrics.json is missing; repeat its train.py command"


@dataclass(frozen=True)
class Member:
    """One trained network's folder, `<pool>_seed<seed>/` or, of a cross-validation, `<pool>_seed<seed>_fold<fold>/`.

    `status` is that of metrics.json ("waiting", "running", "interrupted", "stopped", "complete" or "failed"),
    "interrupted" for a running one that gives no sign of life, "not started" for a waiting one whose sweep has ended,
    and "unreadable" where metrics.json is damaged or missing. `fault`, empty for a complete member, is the message that
    says why it cannot be used. `last_heartbeat` of life is a time (s), 0 if none.
    """

    path: Path
    name: str
    pool: str
    seed: int
    fold: int | None
    status: str
    metrics: Metrics
    fault: str = ""
    last_heartbeat: float = 0.0


def folder_name(folder: Path) -> str:
    """The name of a member, which is that of its folder; `Path()` has one too."""
    return printable(os.path.basename(os.path.abspath(folder)))


def find_members(run_dir: Path) -> list[Member]:
    """The members in a sweep's folder, by pool, seed and fold; a member's own folder gives a list of one.

    Other folders, such as a launcher's `.submitit`, are passed over.

    Raises:
        RunError: no such folder, or no member in it; the message names folders nearby that hold some.
    """
    run_dir = Path(run_dir)
    if run_dir.is_dir():
        folders = [run_dir] if _is_member(run_dir) else [path for path in run_dir.iterdir() if _is_member(path)]
        if folders:
            return sorted(map(read_member, folders), key=_rank)
    roots = (run_dir, run_dir.parent, Path("outputs"))
    nearby = (sorted({str(file.parent.parent) for file in root.glob("*/*/metrics.json")}) for root in roots)
    near = next(filter(None, nearby), [])
    hint = f"members are in {first_names(near)}" if near else "train.py makes them"
    raise RunError(f"{run_dir}: {'no members in it' if run_dir.is_dir() else 'no such folder'}; {hint}")


def _is_member(folder: Path) -> bool:
    """Whether a run has been here; settings and a log alone are what one leaves that was rejected at once."""
    results = ("checkpoints/last.ckpt", *(f"{table}.csv" for table in TABLES))
    trained = (folder / ".hydra").is_dir() and any((folder / name).exists() for name in results)
    return (folder / "metrics.json").exists() or trained


def _rank(member: Member) -> tuple:
    return member.pool, member.seed, member.fold is not None, member.fold, member.name


def read_member(folder: Path) -> Member:
    """The member in `folder`, whatever its state."""
    name = folder_name(folder)
    named = re.fullmatch(r"(.+)_seed(\d+)(?:_fold(\d+))?", name)
    pool, seed = (named[1], int(named[2])) if named else (name, 0)
    fold = int(named[3]) if named and named[3] else None
    try:
        metrics = read_metrics(folder)
    except RunError as error:
        return Member(folder, name, pool, seed, fold, UNREADABLE, {}, str(error))
    if not metrics:
        return Member(folder, name, pool, seed, fold, UNREADABLE, metrics, f"{folder}: {NO_METRICS}")
    status, pool, seed, fold = metrics["status"], metrics["pool"], metrics["seed"], metrics.get("fold")
    if status == Status.COMPLETE:
        return Member(folder, name, pool, seed, fold, status, metrics)
    run = RunFolder(folder)
    if status in (Status.RUNNING, Status.WAITING) and not run.is_alive():
        status = NOT_STARTED if status == Status.WAITING else Status.INTERRUPTED
    remedy = REMEDIES.get(status, f"not complete, metrics.json gives its status as {status}; {RETRAIN}")
    fault = f"{folder}: {remedy}".replace("{error}", error_of(metrics))
    last_heartbeat = run.heartbeat.stat().st_mtime if run.heartbeat.exists() else 0.0
    return Member(folder, name, pool, seed, fold, status, metrics, fault, last_heartbeat)


def error_of(metrics: Metrics) -> str:
    """Why a run failed, in one line."""
    return " ".join((metrics.get("error") or "train.log says why").split())


def read_tables(member: Member) -> dict[str, pd.DataFrame]:
    """Those of TABLES that the member holds, by file name without `.csv`.

    Raises:
        RunError: a table that is no table of distributions, no table at all, or predictions and answers that do not
            belong together.
    """
    tables = {name: read_table(path) for name in TABLES if (path := member.path / f"{name}.csv").is_file()}
    if not tables.keys() & TARGETS_OF.keys():
        raise RunError(f"{member.path}: neither predictions.csv nor val_predictions.csv; {RETRAIN}")
    if "val_predictions" in tables and "val_answers" not in tables:
        raise RunError(f"{member.path}: val_predictions.csv but no val_answers.csv; {RETRAIN}")
    for predictions, answers in TARGETS_OF.items():
        if answers in tables and predictions not in tables:
            raise RunError(f"{member.path}: {answers}.csv but no {predictions}.csv; {RETRAIN}")
        if answers in tables and (text := difference(tables[predictions], tables[answers])):
            raise RunError(f"{member.path / predictions}.csv: {text} than {answers}.csv; {RETRAIN}")
    return tables
