"""Compare ways to combine the members of an ensemble, on clips that were not used for fitting.

python -m benchmarks.stacking DATA outputs/best_words               # DATA is the output of benchmarks.held_out
python -m benchmarks.stacking DATA outputs/best outputs/best_words  # the members of several folders as one ensemble

Each draw splits the test clips at random: `--clips` of them for fitting, the rest for evaluation. Results are averaged
over the draws. Methods:

- mean: the unweighted mean of the members;
- best member: the member with the lowest KL on the fitting clips;
- greedy: weights by greedy selection with replacement (Caruana et al., ICML 2004);
- calibrated: the mean with one temperature and one offset per word;
- stacked: `combine=stacked` of ensemble.py.

The columns "worse than mean" and "worse than best" are fractions of the draws.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from overlapped_words.ensembling.metrics import kl_divergence
from overlapped_words.ensembling.stacking import fit, pool
from overlapped_words.runs.members import find_members, read_tables

ROUNDS = 30  # of greedy selection; weights are multiples of 1 / ROUNDS

Combination = Callable[[np.ndarray], np.ndarray]  # probabilities (M, N, num_classes) -> (N, num_classes)


def weighted(weights: np.ndarray) -> Combination:
    """Combine by a weighted mean; `weights` `(M,)` sum to 1."""
    return lambda probs: np.tensordot(weights, probs, axes=1)


def best_member(probs: np.ndarray, targets: np.ndarray) -> Combination:
    return weighted(np.eye(len(probs))[np.argmin([kl_divergence(targets, member).mean() for member in probs])])


def greedy(probs: np.ndarray, targets: np.ndarray) -> Combination:
    """In each round, add the member that most improves the mean of all members added so far."""
    total, counts = np.zeros(probs.shape[1:]), np.zeros(len(probs))
    for size in range(1, ROUNDS + 1):
        choice = np.argmin([kl_divergence(targets, (total + member) / size).mean() for member in probs])
        total, counts[choice] = total + probs[choice], counts[choice] + 1
    return weighted(counts / ROUNDS)


def stacked(probs: np.ndarray, targets: np.ndarray) -> Combination:
    weights, offsets = fit(probs, targets)
    return lambda others: pool(others, weights, offsets)


def calibrated(probs: np.ndarray, targets: np.ndarray) -> Combination:
    weights, offsets = fit(probs.mean(axis=0, keepdims=True), targets)
    return lambda others: pool(others.mean(axis=0, keepdims=True), weights, offsets)


METHODS = {"best member": best_member, "greedy": greedy, "calibrated": calibrated, "stacked": stacked}


def read(data: Path, run_dirs: list[Path]) -> tuple[np.ndarray, np.ndarray]:
    """Read the members' predictions of the test clips `(M, N, num_classes)` and the targets `(N, num_classes)`."""
    targets = pd.read_csv(data / "test_sets" / "test.csv", index_col=0)
    members = [member for run_dir in run_dirs for member in find_members(run_dir)]
    for member in members:
        if member.fault:
            raise SystemExit(member.fault)
    tables = [read_tables(member)["predictions"] for member in members]
    return np.stack([table.loc[targets.index, targets.columns] for table in tables]), targets.to_numpy()


def kl(combination: Combination, probs: np.ndarray, targets: np.ndarray) -> float:
    return float(kl_divergence(targets, combination(probs)).mean())


def evaluate(probs: np.ndarray, targets: np.ndarray, num_clips: int, num_draws: int) -> pd.DataFrame:
    """Fit every method on `num_clips` random clips and evaluate it on the rest; return one row per method."""
    rng = np.random.default_rng(0)
    rows = []
    for _ in range(num_draws):
        order = rng.permutation(len(targets))
        fitting, rest = ((probs[:, clips], targets[clips]) for clips in np.split(order, [num_clips]))
        fitted = {name: kl(method(*fitting), *rest) for name, method in METHODS.items()}
        rows.append({"mean": kl(weighted(np.full(len(probs), 1 / len(probs))), *rest), **fitted})
    draws = pd.DataFrame(rows)
    return pd.DataFrame(
        {
            "clips": num_clips,
            "KL": draws.mean(),
            "relative to mean": draws.mean() / draws["mean"].mean() - 1,
            "worse than mean": draws.gt(draws["mean"], axis=0).mean(),
            "worse than best": draws.gt(draws["best member"], axis=0).mean(),
        }
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="output of benchmarks.held_out")
    parser.add_argument("run_dirs", type=Path, nargs="+", help="folder of a sweep")
    parser.add_argument("--clips", type=int, nargs="*", default=[50, 500], help="numbers of clips used for fitting")
    parser.add_argument("--draws", type=int, default=10, help="number of random splits")
    arguments = parser.parse_args()
    probs, targets = read(arguments.data, arguments.run_dirs)
    print("members", *(f"{kl_divergence(targets, member).mean():.4f}" for member in probs))
    formats = {
        "KL": "{:.4f}".format,
        **dict.fromkeys(["relative to mean", "worse than mean", "worse than best"], "{:+.1%}".format),
    }
    for num_clips in arguments.clips:
        print(evaluate(probs, targets, num_clips, arguments.draws).to_string(formatters=formats))


if __name__ == "__main__":
    main()
