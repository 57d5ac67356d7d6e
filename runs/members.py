"""Run and sweep folders: what a member is, its state and its tables."""

import json
import re
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from errors import RunError
from messages import some
from runs.tables import RETRAIN, difference, read_table

# The tables a member may hold, by file name without `.csv`: those of predictions, and of the answers to each.
ANSWERS_OF = {"predictions": "test_answers", "val_predictions": "val_answers"}
TABLES = (*ANSWERS_OF.keys(), *ANSWERS_OF.values())

REMEDIES = {
    "running": "not complete, it is being trained; wait for its end",
    "interrupted": "not complete, it was interrupted; repeat its train.py command, which resumes it",
    "waiting": "not complete, its sweep has not come to it; repeat the sweep's command if that has ended",
    "failed": "not complete, its training failed ({error}); mend that and repeat its train.py command",
    "not started": "not complete, it has no metrics.json; repeat its train.py command",
}


@dataclass(frozen=True)
class Member:
    """One trained network's folder, `<pool>_seed<seed>/` or, of a cross-validation, `<pool>_seed<seed>_fold<fold>/`.

    `status` is that of metrics.json ("waiting", "running", "interrupted", "complete" or "failed"), "interrupted" too
    for a running one that gives no sign of life, "not started" where there is no metrics.json, or "unreadable".
    `fault`, empty for a complete member, is the message that says why it cannot be used. `last_sign` of life is a time
    (s), 0 if none.
    """

    path: Path
    name: str
    pool: str
    seed: int
    fold: int | None
    status: str
    metrics: dict[str, Any] = field(default_factory=dict)
    fault: str = ""
    last_sign: float = 0.0


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
            return sorted(map(_read_member, folders), key=_rank)
    roots = (run_dir, run_dir.parent, Path("outputs"))
    nearby = (sorted({str(file.parent.parent) for file in root.glob("*/*/metrics.json")}) for root in roots)
    near = next(filter(None, nearby), [])
    hint = f"members are in {some(near)}" if near else "train.py makes them"
    raise RunError(f"{run_dir}: {'no members in it' if run_dir.is_dir() else 'no such folder'}; {hint}")


def _is_member(folder: Path) -> bool:
    return (folder / "metrics.json").is_file() or (folder / ".hydra" / "config.yaml").is_file()


def _rank(member: Member) -> tuple:
    return member.pool, member.seed, member.fold is not None, member.fold, member.name


def _read_member(folder: Path) -> Member:
    name = folder.resolve().name
    named = re.fullmatch(r"(.+)_seed(\d+)(?:_fold(\d+))?", name)
    pool, seed = (named[1], int(named[2])) if named else (name, 0)
    fold = int(named[3]) if named and named[3] else None
    try:
        metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
        status, pool, seed = str(metrics["status"]), str(metrics["pool"]), int(metrics["seed"])
        fold = None if metrics.get("fold") is None else int(metrics["fold"])
    except FileNotFoundError:
        return Member(folder, name, pool, seed, fold, "not started", fault=f"{folder}: {REMEDIES['not started']}")
    except (ValueError, KeyError, TypeError) as error:
        fault = f"{folder / 'metrics.json'}: cannot be read ({type(error).__name__}: {error}); {RETRAIN}"
        return Member(folder, name, pool, seed, fold, "unreadable", fault=fault)
    if status == "complete":
        return Member(folder, name, pool, seed, fold, status, metrics)
    heartbeat = folder / "heartbeat"
    last_sign = heartbeat.stat().st_mtime if heartbeat.exists() else 0.0
    if status == "running" and time.time() - last_sign > metrics.get("silence", 0):
        status = "interrupted"
    remedy = REMEDIES.get(status, f"not complete, metrics.json gives its status as {status}; {RETRAIN}")
    fault = f"{folder}: {remedy}".replace("{error}", str(metrics.get("error") or "train.log says why"))
    return Member(folder, name, pool, seed, fold, status, metrics, fault, last_sign)


def read_tables(member: Member) -> dict[str, pd.DataFrame]:
    """Those of TABLES that the member holds, by file name without `.csv`.

    Raises:
        RunError: a table that is no table of distributions, no table at all, or predictions and answers that do not
            belong together.
    """
    tables = {name: read_table(path) for name in TABLES if (path := member.path / f"{name}.csv").is_file()}
    if not tables.keys() & ANSWERS_OF.keys():
        raise RunError(f"{member.path}: neither predictions.csv nor val_predictions.csv; {RETRAIN}")
    if "val_predictions" in tables and "val_answers" not in tables:
        raise RunError(f"{member.path}: val_predictions.csv but no val_answers.csv; {RETRAIN}")
    for predictions, answers in ANSWERS_OF.items():
        if answers in tables and predictions not in tables:
            raise RunError(f"{member.path}: {answers}.csv but no {predictions}.csv; {RETRAIN}")
        if answers in tables and (text := difference(tables[predictions], tables[answers])):
            raise RunError(f"{member.path / predictions}.csv: {text} than {answers}.csv; {RETRAIN}")
    return tables


def read_config(member: Member) -> dict[str, Any]:
    """The member's resolved configuration; empty where only its tables were kept.

    Raises:
        RunError: it is no YAML, or not one of settings.
    """
    path = member.path / ".hydra" / "config.yaml"
    if not path.is_file():
        return {}
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        problem = " ".join(str(error).split())
        raise RunError(f"{path}: cannot be read as YAML ({problem}); restore or delete it") from error
    if not isinstance(config, dict):
        raise RunError(f"{path}: holds no settings; restore or delete it")
    return config


def read_epochs(member: Member) -> pd.DataFrame:
    """metrics.csv: one row an epoch, with the columns that train.py's History names; empty where there is none.

    Raises:
        RunError: it is no table of epochs.
    """
    path = member.path / "metrics.csv"
    try:
        epochs = pd.read_csv(path) if path.is_file() else pd.DataFrame()
    except (OSError, ValueError) as error:
        raise RunError(f"{path}: cannot be read as a table ({error}); restore or delete it") from error
    if len(epochs) and not {"epoch", "step", "train/loss", "seconds"} <= set(epochs):
        raise RunError(f"{path}: not a table of epochs (epoch, step, train/loss, seconds); restore or delete it")
    return epochs
