"""Errors of an ensemble: recall and KL per word, confused words, calibration, false alarms, the gain from averaging.

`targets` and `probs` are tables of distributions with the same clips and words.
"""

import numpy as np
import pandas as pd

from lightning_modules.metrics.kl import PROB_FLOOR

NUM_ORDERS = 20  # of the members, drawn at random
EVENTS_PER_HOUR = 20  # in clips without words, at the threshold that is fitted


def top_k(targets: np.ndarray, probs: np.ndarray) -> np.ndarray:
    """Mark the k most probable words of each clip, `(N, num_classes)` bool; k is its number of words."""
    k = (targets > 0).sum(axis=1, keepdims=True)
    return np.argsort(np.argsort(-probs, axis=1, kind="stable"), axis=1) < k


def by_word(targets: pd.DataFrame, probs: pd.DataFrame) -> pd.DataFrame:
    """Compute metrics per word, over the clips that contain it.

    Words that occur in no clip are omitted. The sum of clips * kl divided by the number of clips is the total KL.

    Returns:
        One row per word, the lowest recall first. Columns: word, clips (number of clips with the word), recall
        (fraction of these with the word in the top k), kl (mean of the word's term of the KL, in nats; negative where
        the prediction exceeds the target).
    """
    target_values, values = targets.to_numpy(), probs.to_numpy()
    true, predicted = target_values > 0, top_k(target_values, values)
    log_ratio = np.log(np.where(true, target_values, 1) / np.maximum(values, PROB_FLOOR))
    terms = np.where(true, target_values * log_ratio, 0)
    clips = true.sum(axis=0)
    sums = {"recall": (true & predicted).sum(axis=0), "kl": terms.sum(axis=0)}
    means = {name: value / np.maximum(clips, 1) for name, value in sums.items()}
    table = pd.DataFrame({"word": targets.columns, "clips": clips, **means})
    return table[clips > 0].sort_values("recall", kind="stable", ignore_index=True)


def confusions(targets: pd.DataFrame, probs: pd.DataFrame) -> pd.DataFrame:
    """Count pairs of a missed word and a word predicted instead.

    A clip has as many missed words as wrong ones in its top k. Each missed word is split equally among the wrong
    ones, so the counts of its pairs sum to the number of times it was missed.

    Returns:
        One row per pair, the most frequent first. Columns: missed, predicted, clips (may be fractional).
    """
    true, top = targets.to_numpy() > 0, top_k(targets.to_numpy(), probs.to_numpy())
    missed, wrong = true & ~top, top & ~true
    counts = missed.T.astype(float) @ (wrong / np.maximum(wrong.sum(axis=1, keepdims=True), 1))
    rows, columns = counts.nonzero()
    words = targets.columns.to_numpy()
    table = pd.DataFrame({"missed": words[rows], "predicted": words[columns], "clips": counts[rows, columns]})
    return table.sort_values("clips", ascending=False, kind="stable", ignore_index=True)


def reliability(targets: pd.DataFrame, probs: pd.DataFrame, num_bins: int = 12) -> pd.DataFrame:
    """Compare predicted and true probabilities over all pairs of clip and word, binned by prediction.

    Bins have equal width from 0 to the highest prediction. With soft targets, a prediction of p is calibrated if the
    targets of all predictions of p have mean p.

    Returns:
        One row per non-empty bin. Columns: predicted and true (means), error (standard error of true), pairs (count).
    """
    predictions, values = probs.to_numpy().ravel(), targets.to_numpy().ravel()
    bins = np.minimum((predictions / predictions.max() * num_bins).astype(int), num_bins - 1)
    groups = pd.DataFrame({"predicted": predictions, "true": values}).groupby(bins)
    table = groups.mean()
    table["error"] = groups["true"].sem(ddof=0)
    table["pairs"] = groups.size()
    return table.reset_index(drop=True)


def kl_by_number(targets: np.ndarray, probs: np.ndarray) -> np.ndarray:
    """KL (nats) of the mean of the first 1 to M members, for random orders of the members.

    KL is convex in the prediction. By Jensen's inequality, the mean of all members is at most the mean of their KLs;
    the gap measures their diversity (Krogh and Vedelsby, NeurIPS 1994, for squared errors).

    Args:
        targets: `(N, num_classes)`.
        probs: `(M, N, num_classes)`.

    Returns:
        `(NUM_ORDERS, M)`.
    """
    true = targets > 0  # other words add nothing to the KL
    targets_of_words, probs = targets[true], probs[:, true]
    rng = np.random.default_rng(0)
    curves = np.empty((NUM_ORDERS, len(probs)))
    for curve in curves:
        totals = np.cumsum(probs[rng.permutation(len(probs))], axis=0)  # (M, number of targets above 0)
        means = totals / np.arange(1, len(probs) + 1)[:, None]
        curve[:] = np.log(targets_of_words / np.maximum(means, PROB_FLOOR)) @ targets_of_words
    return curves / len(targets)


def false_alarms(table: pd.DataFrame) -> pd.DataFrame:
    """Misses and false alarms by threshold of the table's last column, from the highest to the lowest.

    Args:
        table: from `overlapped_words.ensembling.combine.average_scores`.

    Returns:
        Columns `threshold`, `missed` (share of the clips with words below it) and `per_hour` (clips without words that
        reach it, per 3,600 clips of one second).
    """
    scores, has_words = table.iloc[:, -1].to_numpy(), table["has_words"].to_numpy(bool)
    values, words, others = np.unique(scores)[::-1], np.sort(scores[has_words]), np.sort(scores[~has_words])
    missed = np.searchsorted(words, values) / len(words)
    alarms = 1 - np.searchsorted(others, values) / len(others)
    return pd.DataFrame({"threshold": values, "missed": missed, "per_hour": 3_600 * alarms})


def fit_threshold(table: pd.DataFrame) -> dict[str, float] | None:
    """The lowest threshold with at most EVENTS_PER_HOUR in clips without words, a row of `false_alarms`.

    None if there is no such threshold, or if clips without words are too few to have a single event at this rate.
    """
    curve = false_alarms(table)
    rows = curve[curve["per_hour"] <= EVENTS_PER_HOUR]
    if rows.empty or (table["has_words"] == 0).sum() * EVENTS_PER_HOUR < 3_600:
        return None
    return {str(name): float(value) for name, value in rows.iloc[-1].items()}
