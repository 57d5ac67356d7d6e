"""Recall at k, where k is a clip's own number of words."""

import numpy as np


def recall(targets: np.ndarray, probs: np.ndarray) -> np.ndarray:
    """Share of a clip's k true words that are among its k most probable words; higher is better.

    Words of equal probability share the places that are left. Also called R-precision (Manning, Raghavan and Schütze,
    Introduction to Information Retrieval, section 8.4).
    """
    true = targets > 0
    k = true.sum(axis=1, keepdims=True)
    last = np.take_along_axis(-np.sort(-probs, axis=1), k - 1, axis=1)  # the k-th highest probability
    above, equal = probs > last, probs == last
    share = (k - above.sum(axis=1, keepdims=True)) / np.maximum(equal.sum(axis=1, keepdims=True), 1)
    return (true * (above + share * equal)).sum(axis=1) / k.squeeze(1)
