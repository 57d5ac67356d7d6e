"""The members of an ensemble in a folder: their status and their tables."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from overlapped_words.errors import RunError
from overlapped_words.messages import printable
from overlapped_words.runs.folder import RunFolder, Status
from overlapped_words.runs.reading import RETRAIN, TABLES, TARGETS_OF, Metrics, check_file
from overlapped_words.tables import difference, read_table

if TYPE_CHECKING:
    import pandas as pd

REMEDIES: dict[str, str] = {
    Status.RUNNING: "not complete, still training; wait until it finishes",
    Status.INTERRUPTED: "not complete, it was interrupted; repeat its train.py command to resume it",
    Status.WAITING: "not complete, its sweep has not started it yet; wait, or delete its folder if the sweep has ended",
    Status.STOPPED: "not complete, trainer.max_time stopped it; repeat its train.py command with a longer one",
    Status.NOT_STARTED: "its sweep ended before it started; repeat the sweep's command to train it",
    Status.FAILED: "not complete, its training failed ({error}); fix the cause and repeat its train.py command",
    Status.UNREADABLE: "not complete, its metrics.json is missing; repeat its train.py command",
}


@dataclass(frozen=True)
class Member:
    """The folder of one trained network, such as `avg_seed0` or, in a cross-validation, `avg_seed0_fold1`.

    `status` is a `Status`, or another text that metrics.json gives. `fault` is the message that says why the member
    cannot be used; it is empty for a complete member.
    """

    path: Path
    name: str
    pool: str
    seed: int
    fold: int | None
    status: str
    metrics: Metrics
    fault: str = ""


def pool_of(model: Mapping[str, Any], member: str) -> str:
    """The group of members that a network belongs to: its pooling or, if it has none, its name in `member`."""
    return str(model.get("pool") or re.sub(r"_seed\d+$", "", member))


def folder_name(folder: Path) -> str:
    """The name of a folder, also of `Path()`, safe to print."""
    return printable(os.path.basename(os.path.abspath(folder)))


def find_members(run_dir: Path) -> list[Member]:
    """The members in a sweep's folder, by pool, seed and fold; a member's own folder gives a list of one.

    Other folders, such as a launcher's `.submitit`, are skipped.

    Raises:
        RunError: the folder does not exist or has no members.
    """
    run_dir = Path(run_dir)
    if run_dir.is_dir():
        folders = [run_dir] if _is_member(run_dir) else [path for path in run_dir.iterdir() if _is_member(path)]
        if folders:
            members = map(read_member, folders)
            return sorted(members, key=lambda own: (own.pool, own.seed, own.fold is not None, own.fold, own.name))
    fault = "no members in it" if run_dir.is_dir() else "no such folder"
    raise RunError(f"{run_dir}: {fault}; give a folder of train.py's members, such as outputs/<name>")


def _is_member(folder: Path) -> bool:
    """Whether a run was here. A run that was rejected at once leaves only settings and a log."""
    results = ("checkpoints/last.ckpt", *(f"{table}.csv" for table in TABLES))
    trained = (folder / ".hydra").is_dir() and any((folder / name).exists() for name in results)
    return (folder / "metrics.json").exists() or trained


def read_member(folder: Path) -> Member:
    """The member in `folder`, with any status."""
    run, name = RunFolder(folder), folder_name(folder)
    try:
        metrics, status = run.metrics, run.status or Status.UNREADABLE
    except RunError as error:
        return Member(folder, name, name, 0, None, Status.UNREADABLE, {}, str(error))
    fault = ""
    if status != Status.COMPLETE:
        remedy = REMEDIES.get(status, f"not complete, metrics.json gives its status as {status}; {RETRAIN}")
        fault = f"{folder}: {remedy}".replace("{error}", error_of(metrics))
    pool, seed, fold = metrics.get("pool", name), metrics.get("seed", 0), metrics.get("fold")
    return Member(folder, name, pool, seed, fold, status, metrics, fault)


def error_of(metrics: Metrics) -> str:
    """Why a run failed, on one line."""
    return " ".join((metrics.get("error") or "see train.log").split())


def read_tables(member: Member) -> "dict[str, pd.DataFrame]":
    """The tables in TABLES that the member has, by file name without `.csv`.

    Raises:
        RunError: no table, a file that is not a table of distributions, or predictions and targets of different clips.
    """
    paths = {name: path for name in TABLES if (path := member.path / f"{name}.csv").is_file()}
    for path in paths.values():
        check_file(path, RETRAIN)
    tables = {name: read_table(path, RunError) for name, path in paths.items()}
    if not tables.keys() & TARGETS_OF.keys():
        raise RunError(
            f"{member.path}: neither predictions.csv nor val_predictions.csv; {RETRAIN}, with validation or test clips "
            "(data.val_fraction)"
        )
    needs = {"val_predictions": "val_answers", "val_answers": "val_predictions", "test_answers": "predictions"}
    for name, other in needs.items():
        if name in tables and other not in tables:
            raise RunError(f"{member.path}: {name}.csv but no {other}.csv; {RETRAIN}")
    for predictions, targets in TARGETS_OF.items():
        if targets in tables and (text := difference(tables[predictions], tables[targets])):
            raise RunError(f"{member.path / predictions}.csv: {text} than {targets}.csv; {RETRAIN}")
    return tables
