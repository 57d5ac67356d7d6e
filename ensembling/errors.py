"""Where an ensemble errs: word by word, pair by pair, and how far its probabilities can be believed.

`answers` and `probs` are tables of distributions with the same clips and words.
"""

import numpy as np
import pandas as pd

from ensembling.metrics import FLOOR, answered


def by_word(answers: pd.DataFrame, probs: pd.DataFrame) -> pd.DataFrame:
    """Columns: word, clips (that hold it), recall (the share of these that were answered with it), kl (its share of
    the KL in nats, the mean over these clips; negative where more is predicted than is true); the hardest first.

    Words that no clip holds are left out. The sum of clips * kl over the number of clips is the KL of all.
    """
    shares, values = answers.to_numpy(), probs.to_numpy()
    true, chosen = shares > 0, answered(shares, values)
    cost = np.where(true, shares * np.log(np.where(true, shares, 1) / np.maximum(values, FLOOR)), 0)
    clips = true.sum(axis=0)
    with np.errstate(invalid="ignore"):
        figures = {"clips": clips, "recall": (true & chosen).sum(axis=0) / clips, "kl": cost.sum(axis=0) / clips}
    table = pd.DataFrame({"word": answers.columns, **figures})
    return table[table["clips"] > 0].sort_values("recall", kind="stable", ignore_index=True)


def confusions(answers: pd.DataFrame, probs: pd.DataFrame) -> pd.DataFrame:
    """Columns: missed, answered (instead), clips; the most frequent pair first.

    A clip's missed words and the words answered in their place are as many; each missed one is shared out equally
    among these, so that the clips of its pairs add up to how often it was missed.
    """
    true, chosen = answers.to_numpy() > 0, answered(answers.to_numpy(), probs.to_numpy())
    missed, wrong = true & ~chosen, chosen & ~true
    counts = missed.T.astype(float) @ (wrong / np.maximum(wrong.sum(axis=1, keepdims=True), 1))
    rows, columns = counts.nonzero()
    words = answers.columns.to_numpy()
    table = pd.DataFrame({"missed": words[rows], "answered": words[columns], "clips": counts[rows, columns]})
    return table.sort_values("clips", ascending=False, kind="stable", ignore_index=True)


def reliability(answers: pd.DataFrame, probs: pd.DataFrame, num_bins: int = 12) -> pd.DataFrame:
    """What was predicted against what was true, over all words of all clips, in bins of equal width up to the highest
    probability; columns: predicted, true (both means), error (the standard error of true), pairs (how many).

    With soft answers a prediction of p is right where the answers to all predictions of p have the mean p.
    """
    values, shares = probs.to_numpy().ravel(), answers.to_numpy().ravel()
    bins = np.minimum((values / values.max() * num_bins).astype(int), num_bins - 1)
    groups = pd.DataFrame({"predicted": values, "true": shares}).groupby(bins)
    table = groups.mean()
    table["error"] = groups["true"].sem(ddof=0)
    table["pairs"] = groups.size()
    return table.reset_index(drop=True)
