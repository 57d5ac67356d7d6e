"""Stacking: fit weights of the members on validation clips, and compare them with the mean.

Members are combined as softmax(sum of weight * log p + offset of the word). This is stacked generalization (Wolpert,
Neural Networks 5, 1992) by multinomial regression on log-probabilities, a logarithmic opinion pool (Heskes, NIPS 1997).
The sum of the weights acts as an inverse temperature (Guo et al., ICML 2017), so no separate calibration is needed.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from lightning_modules.metrics.kl import PROB_FLOOR, kl
from overlapped_words.ensembling.combine import Tables, member_probs
from overlapped_words.ensembling.ensemble_file import StackingWeights
from overlapped_words.errors import RunError
from overlapped_words.runs.members import Member

PRIOR = 5.0  # strength of the prior in clips; 3 to 10 work equally well, see docs/ensemble_stage.md
NUM_PARTS = 5  # parts of the validation clips for held-out predictions


def fit_stacking(
    members: Sequence[Member], tables: dict[str, Tables], combined: Tables
) -> tuple[StackingWeights, Tables]:
    """Fit stacking weights on the validation tables of `members`. Return them, and `combined` with stacked predictions.

    Each validation clip is predicted with weights fitted on other clips, so `val_kl` is what to expect on new clips.

    In a cross-validation (`data.fold`), members that differ only in their fold share one weight, fitted on the
    out-of-fold predictions of all clips. For the test clips it is divided equally among them.

    Args:
        members: the members to combine.
        tables: their tables by name, from `overlapped_words.ensembling.combine.gather`.
        combined: the mean of their tables, from `overlapped_words.ensembling.combine.combine`.

    Raises:
        RunError: too few validation clips, or folds with different members.
    """
    sweep = members[0].path.parent
    if len(combined.get("val_answers", ())) < NUM_PARTS:
        raise RunError(
            f"{sweep}: combine=stacked needs at least {NUM_PARTS} validation clips; train with data.val_fraction above "
            "0, or use combine=mean"
        )
    # avg_seed0_fold0 and avg_seed0_fold1 share the weight of avg_seed0.
    unfolded = {member.name: member.name.removesuffix(f"_fold{member.fold}") for member in members}
    num_folds = len({member.fold for member in members})
    if len(unfolded) != num_folds * len(set(unfolded.values())):
        raise RunError(f"{sweep}: not every fold has the same members; train the missing ones, or use combine=mean")
    targets, probs = combined["val_answers"].to_numpy(), member_probs(members, tables, "val_predictions")
    stacked = {"val_predictions": _cross_validate(probs, targets)}
    fitted, offsets = fit(probs, targets)
    weight_of = dict(zip(dict.fromkeys(unfolded.values()), fitted / num_folds, strict=True))
    weights = {name: float(weight_of[shared]) for name, shared in unfolded.items()}
    if "predictions" in combined:
        test = np.stack([tables[name]["predictions"].to_numpy() for name in weights])
        # The columns of a submission have the order of its sample.
        order = combined["val_answers"].columns.get_indexer(combined["predictions"].columns)
        stacked["predictions"] = pool(test, np.array(list(weights.values())), offsets[order])
    frames = {
        kind: pd.DataFrame(values, combined[kind].index, combined[kind].columns) for kind, values in stacked.items()
    }
    stacking = StackingWeights(
        weights=weights,
        offsets=dict(zip(combined["val_answers"].columns, offsets.tolist(), strict=True)),
        floor=PROB_FLOOR,
        val_kl=float(kl(targets, stacked["val_predictions"]).mean()),
        mean_kl=float(kl(targets, combined["val_predictions"].to_numpy()).mean()),
    )
    return stacking, combined | frames


def _cross_validate(probs: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Predict each part of the clips with weights fitted on the other parts; `(N, num_classes)`."""
    held_out = np.empty_like(targets)
    for part in np.array_split(np.random.default_rng(0).permutation(len(targets)), NUM_PARTS):
        rest = np.setdiff1d(np.arange(len(targets)), part)
        held_out[part] = pool(probs[:, part], *fit(probs[:, rest], targets[rest]))
    return held_out


def pool(probs: np.ndarray, weights: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Combine members' probabilities with stacking weights.

    Args:
        probs: `(M, N, num_classes)`.
        weights: `(M,)`.
        offsets: `(num_classes,)`.

    Returns:
        Probabilities `(N, num_classes)`.
    """
    scores = np.tensordot(weights, np.log(np.maximum(probs, PROB_FLOOR)), axes=1) + offsets
    odds = np.exp(scores - scores.max(axis=1, keepdims=True))
    return odds / odds.sum(axis=1, keepdims=True)


def fit(probs: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fit weights `(M,)` and offsets `(num_classes,)` by minimizing the KL of the combined members.

    The KL is convex in both, so Newton's method finds the unique minimum. A Gaussian prior around the members'
    geometric mean (equal weights, no offsets) has the strength of PRIOR clips.

    Args:
        probs: the members' probabilities, `(M, N, num_classes)`.
        targets: `(N, num_classes)`.
    """
    num_members, num_clips, num_classes = probs.shape
    strength = PRIOR / num_clips
    start = np.concatenate([np.full(num_members, 1 / num_members), np.zeros(num_classes)])

    def loss(params: np.ndarray) -> float:
        pooled = pool(probs, *np.split(params, [num_members]))
        return kl(targets, pooled).mean() + strength / 2 * np.sum((params - start) ** 2)

    params = start
    for _ in range(100):  # five or six steps suffice unless a member is very poor
        gradient, hessian = _derivatives(probs, targets, *np.split(params, [num_members]))
        step = np.linalg.solve(hessian + strength * np.eye(len(params)), gradient + strength * (params - start))
        if np.abs(step).max() < 1e-6:
            break
        while loss(params - step) > loss(params):  # backtrack
            step /= 2
        params = params - step
    return params[:num_members], params[num_members:]


def _derivatives(
    probs: np.ndarray, targets: np.ndarray, weights: np.ndarray, offsets: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Gradient and Hessian of the mean KL; weights come first, then offsets.

    With the log-probabilities centered by their mean under the pooled prediction, the Hessian is the mean covariance
    of the terms that the weights and offsets multiply.
    """
    num_members, num_clips, _ = probs.shape
    log_probs, pooled = np.log(np.maximum(probs, PROB_FLOOR)), pool(probs, weights, offsets)
    error = pooled - targets
    gradient = np.concatenate([np.tensordot(log_probs, error, axes=2) / num_clips, error.mean(axis=0)])
    centered = log_probs - (log_probs * pooled).sum(axis=2, keepdims=True)
    weighted = centered * pooled
    by_weights = weighted.reshape(num_members, -1) @ centered.reshape(num_members, -1).T / num_clips
    by_offsets = np.diag(pooled.mean(axis=0)) - pooled.T @ pooled / num_clips
    mixed = weighted.mean(axis=1)
    return gradient, np.block([[by_weights, mixed], [mixed.T, by_offsets]])
