"""Score recipes on unseen speakers and compare them.

python -m benchmarks.score DATA outputs/winner outputs/best     # DATA is the output of benchmarks.held_out
python -m benchmarks.score DATA outputs/best --test-sets test   # one test set; --plot FILE.png: KL by minutes

Each folder is a sweep of one recipe; its members are the seeds. For every test set (test, other numbers of words,
unequal levels, noise) and every recipe, the table has one row:

- kl, std: mean and standard deviation of the members' KL;
- recall: mean over the members;
- scarce_recall: of the words with less than a quarter of the recordings of the largest word, mean over the members;
- calibration: the part of the KL that the best single temperature removes, mean over the members;
- ensemble_kl, low, high, ensemble_recall: the mean of the members, with a 95 % bootstrap interval over clips;
- constant: the KL of the uniform prediction;
- difference, difference_low, difference_high: the members' mean KL minus that of the first recipe, paired by clip, with
  a 95 % bootstrap interval;
- minutes: of training, mean over the members.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from datamodules.audio_files import list_recordings
from lightning_modules.metrics import uniform
from lightning_modules.metrics.kl import PROB_FLOOR, kl
from lightning_modules.metrics.recall import recall
from overlapped_words import load
from overlapped_words.allocator import keep_freed_memory
from overlapped_words.ensembling.error_analysis import top_k

TEMPERATURES = np.geomspace(0.25, 4.0, 65)


def predict(run_dir: Path, folder: Path, class_names: list[str]) -> np.ndarray:
    """Predict the recordings in `folder` with every member; return probabilities `(M, N, num_classes)`."""
    members = [load(path.parents[1]) for path in sorted(run_dir.rglob("checkpoints/last.ckpt"))]
    if not members or members[0].class_names != class_names:
        raise SystemExit(f"{run_dir}: no member that was trained on the words of {folder}; train one on that data")
    return np.stack([member(list_recordings(folder)).to_numpy(np.float64) for member in members])


def calibration_error(targets: np.ndarray, probs: np.ndarray) -> float:
    """The part of the mean KL (nats) that the best single temperature removes."""
    logs = np.log(np.maximum(probs, PROB_FLOOR))
    scaled = (np.exp(logs / t) / np.exp(logs / t).sum(axis=1, keepdims=True) for t in TEMPERATURES)
    return kl(targets, probs).mean() - min(kl(targets, p).mean() for p in scaled)


def interval(values: np.ndarray, rng: np.random.Generator, prefix: str = "") -> dict[str, float]:
    """95 % bootstrap interval of the mean of `values` `(N,)`, one value per clip."""
    means = values[rng.integers(len(values), size=(2000, len(values)))].mean(axis=1)
    return {f"{prefix}low": np.quantile(means, 0.025), f"{prefix}high": np.quantile(means, 0.975)}


def recall_of(words: np.ndarray, targets: np.ndarray, probs: np.ndarray) -> float:
    """The fraction of the occurrences of some words that are among the k most probable words of a clip of k words."""
    true = targets[:, words] > 0
    return (true & top_k(targets, probs)[:, words]).sum() / true.sum() if true.any() else np.nan


def score_test_set(table: Path, recipes: Sequence[Path]) -> Iterator[dict[str, object]]:
    """Yield one row per recipe, the columns of which are explained above."""
    rng = np.random.default_rng(0)
    answers = pd.read_csv(table, index_col=0)
    targets, names = answers.to_numpy(), list(map(str, answers))
    counts = np.array([len(list_recordings(table.parents[1] / "words" / name)) for name in names])
    first = None
    for recipe in recipes:
        probs = predict(recipe, table.with_suffix(""), names)
        mean, each = probs.mean(axis=0), np.array([kl(targets, member) for member in probs])
        first = each.mean(axis=0) if first is None else first
        difference = each.mean(axis=0) - first
        bounds = interval(difference, rng, "difference_")
        yield {
            "test_set": table.stem,
            "recipe": recipe.name,
            "members": len(probs),
            "kl": each.mean(),
            "std": pd.Series(each.mean(axis=1)).std(),
            "recall": np.mean([recall(targets, member).mean() for member in probs]),
            "scarce_recall": np.mean([recall_of(4 * counts < counts.max(), targets, member) for member in probs]),
            "calibration": np.mean([calibration_error(targets, member) for member in probs]),
            "ensemble_kl": kl(targets, mean).mean(),
            **interval(kl(targets, mean), rng),
            "ensemble_recall": recall(targets, mean).mean(),
            "constant": kl(targets, uniform(targets)).mean(),
            "difference": difference.mean(),
            **bounds,
            "minutes": np.mean([json.loads(p.read_text())["train_seconds"] / 60 for p in recipe.rglob("metrics.json")]),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="output of benchmarks.held_out")
    parser.add_argument("recipes", type=Path, nargs="+", help="folder of a sweep")
    parser.add_argument("--test-sets", nargs="*", help="score only these test sets")
    parser.add_argument("--plot", type=Path, help="file of KL against minutes on the last test set (PNG)")
    arguments = parser.parse_args()
    keep_freed_memory()
    for table in sorted((arguments.data / "test_sets").glob("*.csv")):
        if not arguments.test_sets or table.stem in arguments.test_sets:
            rows = pd.DataFrame(score_test_set(table, arguments.recipes))
            print(rows.to_string(index=False, float_format="{:.4f}".format), flush=True)
    if arguments.plot:
        axes = (figure := Figure(figsize=(6, 4), layout="constrained")).subplots()
        axes.plot(rows["minutes"], rows["kl"], "o")
        for row in rows.itertuples():
            axes.annotate(f" {row.recipe}", (row.minutes, row.kl))
        right = 1.4 * rows["minutes"].max()  # room for the labels
        axes.set(xlim=(0, right), xlabel="minutes of training", ylabel="KL (nats)")
        figure.savefig(arguments.plot, dpi=120)


if __name__ == "__main__":
    main()
