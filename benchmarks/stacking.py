"""What fitting the weights of an ensemble is worth, on clips that they were not fitted on.

python -m benchmarks.stacking DATA outputs/best_words               # DATA as benchmarks.held_out wrote it
python -m benchmarks.stacking DATA outputs/best outputs/best_words  # the members of several folders as one ensemble

So many of the test clips, drawn at random, fit what there is to fit, the others judge it; the mean over the draws.
Beside the plain mean of the members: the one member that is best on the clips to fit on; weights by greedy selection
with replacement (Caruana et al., ICML 2004); the plain mean with one temperature and an offset for every word; and
`combine=stacked`. "Worse" is the share of draws in which a method is
worse than the plain mean, "over best" that in which it is worse than the best member.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from ensembling.metrics import kl_divergence
from ensembling.stacking import fit, pool
from runs.members import find_members, read_tables

ROUNDS = 30  # of greedy selection: weights are multiples of 1 / ROUNDS

Combination = Callable[[np.ndarray], np.ndarray]  # probabilities (M, N, num_classes) -> (N, num_classes)


def weighted(weights: np.ndarray) -> Combination:
    """A mean with `weights` `(M,)`, which sum to 1."""
    return lambda probs: np.tensordot(weights, probs, axes=1)


def best_member(probs: np.ndarray, answers: np.ndarray) -> Combination:
    return weighted(np.eye(len(probs))[np.argmin([kl_divergence(answers, member).mean() for member in probs])])


def greedy(probs: np.ndarray, answers: np.ndarray) -> Combination:
    """In each round the member, one more time, that makes the mean of all chosen so far the best."""
    total, counts = np.zeros(probs.shape[1:]), np.zeros(len(probs))
    for size in range(1, ROUNDS + 1):
        choice = np.argmin([kl_divergence(answers, (total + member) / size).mean() for member in probs])
        total, counts[choice] = total + probs[choice], counts[choice] + 1
    return weighted(counts / ROUNDS)


def stacked(probs: np.ndarray, answers: np.ndarray) -> Combination:
    weights, offsets = fit(probs, answers)
    return lambda others: pool(others, weights, offsets)


def calibrated(probs: np.ndarray, answers: np.ndarray) -> Combination:
    weights, offsets = fit(probs.mean(axis=0, keepdims=True), answers)
    return lambda others: pool(others.mean(axis=0, keepdims=True), weights, offsets)


METHODS = {"best member": best_member, "greedy": greedy, "calibrated": calibrated, "stacked": stacked}


def read(data: Path, run_dirs: list[Path]) -> tuple[np.ndarray, np.ndarray]:
    """The members' probabilities of the test clips, `(M, N, num_classes)`, and the answers, `(N, num_classes)`."""
    answers = pd.read_csv(data / "sheets" / "test.csv", index_col=0)
    members = [member for run_dir in run_dirs for member in find_members(run_dir)]
    for member in members:
        if member.fault:
            raise SystemExit(member.fault)
    tables = [read_tables(member)["predictions"] for member in members]
    return np.stack([table.loc[answers.index, answers.columns] for table in tables]), answers.to_numpy()


def kl(combination: Combination, probs: np.ndarray, answers: np.ndarray) -> float:
    return float(kl_divergence(answers, combination(probs)).mean())


def judge(probs: np.ndarray, answers: np.ndarray, num_clips: int, num_draws: int) -> pd.DataFrame:
    """A row for each method fitted on `num_clips` clips: its KL on the others, and how it compares, by draws."""
    rng = np.random.default_rng(0)
    rows = []
    for _ in range(num_draws):
        order = rng.permutation(len(answers))
        known, rest = ((probs[:, clips], answers[clips]) for clips in np.split(order, [num_clips]))
        fitted = {name: kl(method(*known), *rest) for name, method in METHODS.items()}
        rows.append({"mean": kl(weighted(np.full(len(probs), 1 / len(probs))), *rest), **fitted})
    draws = pd.DataFrame(rows)
    return pd.DataFrame(
        {
            "clips": num_clips,
            "KL": draws.mean(),
            "to the mean": draws.mean() / draws["mean"].mean() - 1,
            "worse": draws.gt(draws["mean"], axis=0).mean(),
            "over best": draws.gt(draws["best member"], axis=0).mean(),
        }
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("run_dirs", type=Path, nargs="+")
    parser.add_argument("--clips", type=int, nargs="*", default=[50, 500], help="how many to fit on")
    parser.add_argument("--draws", type=int, default=10)
    arguments = parser.parse_args()
    probs, answers = read(arguments.data, arguments.run_dirs)
    print("members", *(f"{kl_divergence(answers, member).mean():.4f}" for member in probs))
    formats = {"KL": "{:.4f}".format, **dict.fromkeys(["to the mean", "worse", "over best"], "{:+.1%}".format)}
    for num_clips in arguments.clips:
        print(judge(probs, answers, num_clips, arguments.draws).to_string(formatters=formats))


if __name__ == "__main__":
    main()
