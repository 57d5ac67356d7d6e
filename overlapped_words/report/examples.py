"""Select the clips that report.html shows."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from lightning_modules.metrics.kl import kl
from overlapped_words.ensembling.error_analysis import top_k

NUM_EXAMPLES = 8  # best and worst clips each
NUM_WORDS = 5  # shown per clip without targets


class Clip(NamedTuple):
    """A clip on the page."""

    id: str
    score: float  # its KL (nats) or, without targets, the entropy of its prediction
    words: list[tuple[str, float | None, float]]  # (word, target or None, prediction), the most probable first


def best_and_worst(probs: pd.DataFrame, targets: pd.DataFrame | None) -> tuple[list[Clip], list[Clip]]:
    """Select the clips with the lowest scores (lowest first) and with the highest (highest first).

    At most NUM_EXAMPLES each; no clip is in both lists. Each clip shows its true words and its k most probable ones, or
    without targets its NUM_WORDS most probable ones.
    """
    values = probs.to_numpy()
    orders = np.argsort(-values, axis=1, kind="stable")  # of the words
    if targets is None:
        scores = -(values * np.log(np.where(values > 0, values, 1))).sum(axis=1)
        true, shown = None, np.argsort(orders, axis=1) < NUM_WORDS
    else:
        true = targets.to_numpy()
        scores, shown = kl(true, values), (true > 0) | top_k(true, values)

    def clip(i: int) -> Clip:
        words = [j for j in orders[i] if shown[i, j]]
        rows = [(probs.columns[j], None if true is None else float(true[i, j]), values[i, j]) for j in words]
        return Clip(probs.index[i], float(scores[i]), rows)

    ranked = np.argsort(scores, kind="stable")
    number = min(NUM_EXAMPLES, len(ranked) // 2)
    return [clip(i) for i in ranked[:number]], [clip(i) for i in ranked[::-1][:number]]
