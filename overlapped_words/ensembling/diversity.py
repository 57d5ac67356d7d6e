"""Gain from averaging: the members' predictions as one array, and KL against the number of members."""

from collections.abc import Sequence

import numpy as np

from lightning_modules.metrics.kl import PROB_FLOOR
from overlapped_words.ensembling.combine import Tables, by_fold
from overlapped_words.runs.members import Member


def member_probs(members: Sequence[Member], tables: dict[str, Tables], kind: str) -> np.ndarray:
    """Collect the members' tables named `kind` in one array `(M, N, num_classes)`, clips in the order of `combine`.

    In a cross-validation, each validation clip has predictions only from the members of its fold. There, row m joins
    the m-th members of all folds, and M is the number of members of the smallest fold.
    """
    everyone = [tables[member.name] for member in members]
    groups = by_fold(members, tables) if kind.startswith("val_") else [everyone]
    folds = [[own[kind].to_numpy() for own in group] for group in groups]
    return np.stack([np.concatenate(parts) for parts in zip(*folds, strict=False)])


def kl_by_number(targets: np.ndarray, probs: np.ndarray, num_orders: int = 20) -> np.ndarray:
    """KL (nats) of the mean of the first 1 to M members, for random orders of the members.

    KL is convex in the prediction. By Jensen's inequality, the mean of all members is at most the mean of their KLs;
    the gap measures their diversity (Krogh and Vedelsby, NeurIPS 1994, for squared errors).

    Args:
        targets: `(N, num_classes)`.
        probs: `(M, N, num_classes)`.

    Returns:
        `(num_orders, M)`.
    """
    true = targets > 0  # other words add nothing to the KL
    targets_of_words, probs = targets[true], probs[:, true]
    rng = np.random.default_rng(0)
    curves = np.empty((num_orders, len(probs)))
    for curve in curves:
        totals = np.cumsum(probs[rng.permutation(len(probs))], axis=0)  # (M, number of targets above 0)
        means = totals / np.arange(1, len(probs) + 1)[:, None]
        curve[:] = np.log(targets_of_words / np.maximum(means, PROB_FLOOR)) @ targets_of_words
    return curves / len(targets)
