"""What averaging brings: members against their mean, and the mean against the number of its members."""

from collections.abc import Sequence

import numpy as np

from ensembling.combine import Tables, by_fold
from ensembling.metrics import FLOOR
from runs.members import Member


def stack(members: Sequence[Member], tables: dict[str, Tables], kind: str) -> np.ndarray:
    """Members' tables of `kind` as one array `(M, N, num_classes)`, clips in the order of `combine`.

    Validation clips of a cross-validation are predicted by one fold's members only. There the first members of all
    folds count as one, so do the second ones, and so on up to the number that every fold has.
    """
    everyone = {member.name: tables[member.name] for member in members}
    groups = by_fold(members, tables) if kind.startswith("val_") else [everyone]
    folds = [[held[kind].to_numpy() for held in group.values()] for group in groups]
    return np.stack([np.concatenate(parts) for parts in zip(*folds, strict=False)])


def kl_by_number(answers: np.ndarray, stacked: np.ndarray, num_orders: int = 20) -> np.ndarray:
    """KL (nats) of the mean of the first 1 .. M members, `(num_orders, M)`: in so many random orders of the members.

    KL is convex in the prediction, so that by Jensen's inequality the mean of all is never worse than the mean of the
    members' KL. How much better is what their diversity is worth (Krogh and Vedelsby, NeurIPS 1994, for squares).
    """
    true = answers > 0  # no other word enters the KL
    weights, stacked = answers[true], stacked[:, true]
    rng = np.random.default_rng(0)
    curves = np.empty((num_orders, len(stacked)))
    for curve in curves:
        total = np.zeros(len(weights))
        for i, member in enumerate(rng.permutation(len(stacked))):
            total += stacked[member]
            curve[i] = weights @ np.log(weights / np.maximum(total / (i + 1), FLOOR))
    return curves / len(answers)
