"""Score recipes on unseen speakers and compare them.

python -m benchmarks.score DATA outputs/winner outputs/best     # DATA is the output of benchmarks.held_out
python -m benchmarks.score DATA outputs/best --test-sets test   # one test set only

Each folder is a sweep of one recipe; its members are the seeds. For every test set (test, other numbers of words,
unequal levels, noise) and every recipe, the table has one row:

- kl, std: mean and standard deviation of the members' KL;
- recall: mean over the members;
- scarce_recall: of the words with less than a quarter of the recordings of the largest word, mean over the members;
- calibration: the part of the KL that the best single temperature removes, mean over the members;
- ensemble_kl, low, high, ensemble_recall: the mean of the members, with a 95 % bootstrap interval over clips;
- constant: the KL of the uniform prediction;
- difference, difference_low, difference_high: the members' mean KL minus that of the first recipe, paired by clip, with
  a 95 % bootstrap interval.
"""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

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


def interval(values: np.ndarray, rng: np.random.Generator, num_draws: int = 2000) -> tuple[float, float]:
    """95 % bootstrap interval of the mean of `values` `(N,)`, one value per clip."""
    means = values[rng.integers(len(values), size=(num_draws, len(values)))].mean(axis=1)
    return float(np.quantile(means, 0.025)), float(np.quantile(means, 0.975))


def scarce_words(root: Path, names: Sequence[str]) -> np.ndarray:
    """Which words have less than a quarter of the recordings of the largest one in the word folder: bool."""
    counts = np.array([len(list_recordings(root / name)) for name in names])
    return 4 * counts < counts.max()


def recall_of(words: np.ndarray | list[int], targets: np.ndarray, probs: np.ndarray) -> float:
    """The fraction of the occurrences of some words that are among the k most probable words of a clip of k words."""
    true = targets[:, words] > 0
    return (true & top_k(targets, probs)[:, words]).sum() / true.sum() if true.any() else np.nan


def score(targets: np.ndarray, probs: np.ndarray, scarce: np.ndarray, rng: np.random.Generator) -> dict[str, float]:
    """Compute the metrics of one recipe on one test set.

    Args:
        targets: `(N, num_classes)`.
        probs: the members' predictions, `(M, N, num_classes)`.
        scarce: which words are scarce, `(num_classes,)` bool.
    """
    each = np.array([kl(targets, member).mean() for member in probs])
    mean = probs.mean(axis=0)
    low, high = interval(kl(targets, mean), rng)
    return {
        "members": len(probs),
        "kl": each.mean(),
        "std": each.std(ddof=1) if len(each) > 1 else np.nan,
        "recall": np.mean([recall(targets, member).mean() for member in probs]),
        "scarce_recall": np.mean([recall_of(scarce, targets, member) for member in probs]),
        "calibration": np.mean([calibration_error(targets, member) for member in probs]),
        "ensemble_kl": kl(targets, mean).mean(),
        "low": low,
        "high": high,
        "ensemble_recall": recall(targets, mean).mean(),
        "constant": kl(targets, uniform(targets)).mean(),
    }


def score_test_set(table: Path, recipes: Sequence[Path]) -> Iterator[dict[str, object]]:
    """Yield one row per recipe: its metrics, and the difference of its members' mean KL to that of the first recipe."""
    rng = np.random.default_rng(0)
    targets = pd.read_csv(table, index_col=0)
    scarce = scarce_words(table.parents[1] / "words", list(targets.columns))
    first = None
    for recipe in recipes:
        probs = predict(recipe, table.with_suffix(""), list(targets.columns))
        clip_kl = np.mean([kl(targets.to_numpy(), member) for member in probs], axis=0)
        first = clip_kl if first is None else first
        low, high = interval(clip_kl - first, rng)
        difference = {"difference": (clip_kl - first).mean(), "difference_low": low, "difference_high": high}
        metrics = score(targets.to_numpy(), probs, scarce, rng)
        yield {"test_set": table.stem, "recipe": recipe.name, **metrics, **difference}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="output of benchmarks.held_out")
    parser.add_argument("recipes", type=Path, nargs="+", help="folder of a sweep")
    parser.add_argument("--test-sets", nargs="*", help="score only these test sets")
    arguments = parser.parse_args()
    keep_freed_memory()
    for table in sorted((arguments.data / "test_sets").glob("*.csv")):
        if not arguments.test_sets or table.stem in arguments.test_sets:
            rows = pd.DataFrame(score_test_set(table, arguments.recipes))
            print(rows.to_string(index=False, float_format="{:.4f}".format), flush=True)


if __name__ == "__main__":
    main()
