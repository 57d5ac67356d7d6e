"""How good recipes are on speakers they never heard, and whether one is better than another.

python -m benchmarks.score DATA outputs/winner outputs/best     # DATA as benchmarks.held_out wrote it
python -m benchmarks.score DATA outputs/best --sheets test      # one sheet only

Each folder is a recipe: a sweep's, whose members are its seeds. For every sheet (test, other numbers of words, unequal
levels, noise) it prints the members' KL as mean +- standard deviation over seeds, the KL of their mean answer with its
95 % interval (bootstrap over clips), what the constant answer scores, the share of the KL that a better temperature
would take away (calibration; the rest is not knowing the words) and the recall. The first recipe is compared with each
other one clip by clip: the difference of the members' mean KL, with its 95 % interval.
"""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from datamodules.recordings import list_recordings, read_clips
from ensembling.metrics import constant_kl, kl_divergence, recall
from inference.predictor import Predictor, find_checkpoints, load_member
from lightning_modules.allocator import keep_freed_memory

TEMPERATURES = np.geomspace(0.25, 4.0, 65)


def predict(run_dir: Path, folder: Path, class_names: list[str]) -> np.ndarray:
    """The members' probabilities of the recordings in `folder`, `(members, N, num_classes)`."""
    members = [Predictor([load_member(path)], [str(path)]) for path in find_checkpoints(run_dir)]
    if members[0].class_names != class_names:
        raise SystemExit(f"{run_dir} knows other words than {folder}")
    probs: list[list[np.ndarray]] = [[] for _ in members]
    for chunk in read_clips(list_recordings(folder), 16_000, 16_000, chunk_size=64):
        waveforms = torch.from_numpy(chunk).float() / 32768
        for i, member in enumerate(members):
            probs[i].append(member(waveforms).numpy())
    return np.stack([np.concatenate(chunks) for chunks in probs]).astype(np.float64)


def calibration_error(answers: np.ndarray, probs: np.ndarray) -> float:
    """What the best single temperature would take off the mean KL."""
    logs = np.log(np.maximum(probs, 1e-10))
    scaled = (np.exp(logs / t) / np.exp(logs / t).sum(axis=1, keepdims=True) for t in TEMPERATURES)
    return kl_divergence(answers, probs).mean() - min(kl_divergence(answers, p).mean() for p in scaled)


def interval(values: np.ndarray, rng: np.random.Generator, num_draws: int = 2000) -> tuple[float, float]:
    """The 95 % interval of the mean of a figure a clip, by drawing clips with replacement."""
    means = values[rng.integers(len(values), size=(num_draws, len(values)))].mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def score(answers: np.ndarray, probs: np.ndarray, rng: np.random.Generator) -> dict[str, float]:
    """The figures of one recipe, `probs` of its members, on one sheet."""
    each = np.array([kl_divergence(answers, member).mean() for member in probs])
    mean = probs.mean(axis=0)
    low, high = interval(kl_divergence(answers, mean), rng)
    return {
        "members": len(probs),
        "kl": each.mean(),
        "std": each.std(ddof=1) if len(each) > 1 else np.nan,
        "recall": np.mean([recall(answers, member).mean() for member in probs]),
        "calibration": np.mean([calibration_error(answers, member) for member in probs]),
        "ensemble_kl": kl_divergence(answers, mean).mean(),
        "low": low,
        "high": high,
        "ensemble_recall": recall(answers, mean).mean(),
        "constant": constant_kl(answers).mean(),
    }


def score_sheet(table: Path, recipes: Sequence[Path]) -> Iterator[dict[str, object]]:
    """A row for each recipe: its figures, and how much its members' KL differs from that of the first recipe's."""
    rng = np.random.default_rng(0)
    answers = pd.read_csv(table, index_col=0)
    first = None
    for recipe in recipes:
        probs = predict(recipe, table.with_suffix(""), list(answers.columns))
        clip_kl = np.mean([kl_divergence(answers.to_numpy(), member) for member in probs], axis=0)
        first = clip_kl if first is None else first
        low, high = interval(clip_kl - first, rng)
        difference = {"difference": (clip_kl - first).mean(), "difference_low": low, "difference_high": high}
        yield {"sheet": table.stem, "recipe": recipe.name, **score(answers.to_numpy(), probs, rng), **difference}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("recipes", type=Path, nargs="+")
    parser.add_argument("--sheets", nargs="*", help="those only")
    parser.add_argument("--out", type=Path, help="file for the table, .csv")
    arguments = parser.parse_args()
    keep_freed_memory()
    tables = sorted((arguments.data / "sheets").glob("*.csv"))
    rows = [
        row
        for table in tables
        if not arguments.sheets or table.stem in arguments.sheets
        for row in score_sheet(table, arguments.recipes)
    ]
    result = pd.DataFrame(rows)
    print(result.to_string(index=False, float_format="{:.4f}".format))
    if arguments.out:
        result.to_csv(arguments.out, index=False, float_format="%.5f")


if __name__ == "__main__":
    main()
