"""Member folders as train.py leaves them, small enough to compute by hand."""

import json
from pathlib import Path

import numpy as np

IDS = ["007", "0010", "0002"]  # leading zeros, and an order that is not the sorted one
WORDS = ["yes", "하나", "no, thanks", "up"]
VAL_IDS = ["v2", "v1"]
VAL_ANSWERS = [[0.5, 0.5, 0, 0], [0, 0.25, 0.75, 0]]
TEST_ANSWERS = [[1, 0, 0, 0], [0, 0.5, 0.5, 0], [0.25, 0.25, 0.25, 0.25]]


def write_csv(
    path: Path, ids: list[str], rows: np.ndarray | list, words: list[str] = WORDS, key: str = "file name"
) -> None:
    header = ",".join([key, *(f'"{word}"' if "," in word else word for word in words)])
    lines = [",".join([name, *(repr(float(value)) for value in row)]) for name, row in zip(ids, rows, strict=True)]
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")


def probabilities(seed: int, num_rows: int, num_classes: int = len(WORDS)) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet(np.ones(num_classes), num_rows)


def write_member(
    sweep: Path, pool: str, seed: int, *, status: str = "complete", val: bool = True, test: bool = True
) -> Path:
    """`sweep/<pool>_seed<seed>/` with random predictions for VAL_IDS and IDS, which `probabilities` gives again."""
    folder = sweep / f"{pool}_seed{seed}"
    (folder / ".hydra").mkdir(parents=True)
    (folder / ".hydra" / "config.yaml").write_text(f"seed: {seed}\n")
    metrics = {"status": status, "pool": pool, "seed": seed, "train_seconds": 90.0 + seed}
    (folder / "metrics.json").write_text(json.dumps(metrics))
    key = seed + (1000 if pool == "max" else 0)
    if val:
        write_csv(folder / "val_predictions.csv", VAL_IDS, probabilities(key + 500, len(VAL_IDS)))
        write_csv(folder / "val_answers.csv", VAL_IDS, VAL_ANSWERS)
    if test:
        write_csv(folder / "predictions.csv", IDS, probabilities(key, len(IDS)))
    return folder
