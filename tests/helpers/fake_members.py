"""Member folders as train.py leaves them, without checkpoints: tables small enough to compute by hand."""

import json
from pathlib import Path

import numpy as np
import pandas as pd

IDS = ["007", "0010", "0002"]  # leading zeros, and an order that is not the sorted one
WORDS = ["yes", "하나", "no, thanks", "up"]
VAL_IDS = ["v2", "v1"]
VAL_ANSWERS = [[0.5, 0.5, 0, 0], [0, 0.25, 0.75, 0]]
FOLD_ANSWERS = [*VAL_ANSWERS, [1, 0, 0, 0], [0, 0.5, 0.5, 0]]
TEST_ANSWERS = [[1, 0, 0, 0], [0, 0.5, 0.5, 0], [0.25, 0.25, 0.25, 0.25]]


def write_csv(path: Path, ids: list[str], rows: np.ndarray | list, words: list[str] = WORDS) -> None:
    pd.DataFrame(rows, ids, words, float).rename_axis("file name").to_csv(path, lineterminator="\n")


def probabilities(seed: int, num_rows: int, num_classes: int = len(WORDS)) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet(np.ones(num_classes), num_rows)


def fold_ids(fold: int) -> list[str]:
    return [f"{name} of fold {fold}" for name in VAL_IDS]


def files_in(folder: Path) -> set[str]:
    """The names of the files in a folder, without its subfolders."""
    return {path.name for path in folder.iterdir() if path.is_file()}


def write_member(sweep: Path, pool: str, seed: int, fold=None, status="complete", val=True, test=True, **facts) -> Path:
    """Write `sweep/<pool>_seed<seed>/` with the predictions of `probabilities` for VAL_IDS and IDS.

    With a fold, write `sweep/<pool>_seed<seed>_fold<fold>/`, with `fold_ids(fold)` instead of VAL_IDS. `facts` are
    added to metrics.json.
    """
    folder = sweep / (f"{pool}_seed{seed}" + ("" if fold is None else f"_fold{fold}"))
    (folder / ".hydra").mkdir(parents=True)
    (folder / ".hydra" / "config.yaml").write_text(f"seed: {seed}\n")
    metrics = {"status": status, "pool": pool, "seed": seed, "fold": fold, "train_seconds": 90.0 + seed}
    (folder / "metrics.json").write_text(json.dumps(metrics | facts))
    key = seed + 10 * (fold or 0) + (1000 if pool == "max" else 0)
    val_ids = VAL_IDS if fold is None else fold_ids(fold)
    if val:
        write_csv(folder / "val_predictions.csv", val_ids, probabilities(key + 500, len(val_ids)))
        write_csv(folder / "val_answers.csv", val_ids, VAL_ANSWERS)
    if test:
        write_csv(folder / "predictions.csv", IDS, probabilities(key, len(IDS)))
    return folder


def write_folds(sweep: Path) -> list[list[float]]:
    """Write avg and max of two folds; return the mean of avg and max for the clips of fold 0, then of fold 1.

    The targets are FOLD_ANSWERS, in the same order.
    """
    predictions = {
        ("avg", 0): [[0.75, 0.25, 0, 0], [0.5, 0.25, 0.25, 0]],
        ("max", 0): [[0.25, 0.75, 0, 0], [0, 0.25, 0.5, 0.25]],
        ("avg", 1): [[0.25, 0.25, 0.25, 0.25], [0, 0.375, 0.5, 0.125]],
        ("max", 1): [[0.75, 0.25, 0, 0], [0, 0.125, 0.5, 0.375]],
    }
    for (pool, fold), rows in predictions.items():
        folder = write_member(sweep, pool, 0, fold=fold)
        write_csv(folder / "val_predictions.csv", fold_ids(fold), rows)
        write_csv(folder / "val_answers.csv", fold_ids(fold), FOLD_ANSWERS[2 * fold : 2 * fold + 2])
    return [[0.5, 0.5, 0, 0], [0.25, 0.25, 0.375, 0.125], [0.5, 0.25, 0.125, 0.125], [0, 0.25, 0.5, 0.25]]


def write_unequal(sweep: Path, num_clips: int = 60) -> dict[str, np.ndarray]:
    """Write avg, which is accurate but not confident, and max, which is random; return their probs of the test clips.

    Stacking is much better than their mean. The validation targets are one or two words for each of `num_clips` clips.
    """
    rng = np.random.default_rng(0)
    ids = [f"v{i}" for i in range(num_clips)]
    answers = np.eye(len(WORDS))[rng.integers(0, len(WORDS), (num_clips, 2))].mean(axis=1)
    noise = rng.dirichlet(np.ones(len(WORDS)), (2, num_clips))
    for pool, rows in (("avg", 0.4 * answers + 0.6 * noise[0]), ("max", noise[1])):
        folder = write_member(sweep, pool, 0)
        write_csv(folder / "val_predictions.csv", ids, rows)
        write_csv(folder / "val_answers.csv", ids, answers)
    return {"avg_seed0": probabilities(0, len(IDS)), "max_seed0": probabilities(1000, len(IDS))}
