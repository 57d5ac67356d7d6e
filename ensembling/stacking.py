"""Stacking: weights of the members fitted on validation clips, and whether they are better than the plain mean.

Members are combined as softmax(sum of weight * log p + offset of the word): stacked generalization (Wolpert, Neural
Networks 5, 1992) by a multinomial regression on log-probabilities, which is a logarithmic opinion pool (Heskes, NIPS
1997). The sum of the weights is an inverse temperature (Guo et al., ICML 2017), so that there is no other calibration.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ensembling.combine import Tables, by_fold
from ensembling.ensemble_file import StackingWeights
from ensembling.metrics import kl_divergence
from errors import RunError
from messages import first_names
from runs.members import Member
from runs.tables import PROB_FLOOR

PRIOR = 5.0  # clips that the belief in equal weights and no offsets counts for; 3 to 10 are as good, see docs
NUM_PARTS = 5  # of the cross-validation


@dataclass(frozen=True)
class FittedStacking(StackingWeights):
    """Stacking weights and the combined tables that they give.

    `tables` are those of `combine` with stacked predictions. Each validation clip is predicted with weights fitted on
    other clips, so `val_kl` is what to expect on new clips.
    """

    tables: Tables


def fit_stacking(members: Sequence[Member], tables: dict[str, Tables], combined: Tables) -> FittedStacking:
    """Fits on the validation tables of `members`; `combined` is their plain mean.

    Of a cross-validation (`data.fold`), members that differ in their fold alone share one weight, fitted on the
    out-of-fold predictions of all clips and divided among them for the test clips.

    Raises:
        RunError: too few validation clips, or folds that were not trained with the same members.
    """
    if len(combined.get("val_answers", ())) < NUM_PARTS:
        raise RunError(
            f"{members[0].path.parent}: combine=stacked is fitted on validation clips, and there are fewer than "
            f"{NUM_PARTS}; train with data.val_fraction above 0, or take combine=mean"
        )
    kinds = {member.name: member.name.removesuffix(f"_fold{member.fold}") for member in members}
    answers = combined["val_answers"].to_numpy()
    probs = _by_kind(members, tables, kinds)
    held_out = _cross_validate(probs, answers)
    shares, offsets = fit(probs, answers)

    share_of = dict(zip(dict.fromkeys(kinds.values()), shares.tolist(), strict=True))
    num_folds = len({member.fold for member in members})
    weights = {name: share_of[kind] / num_folds for name, kind in kinds.items()}
    made = {"val_predictions": held_out}
    if "predictions" in combined:
        test = np.stack([tables[name]["predictions"].to_numpy() for name in weights])
        made["predictions"] = pool(test, np.array(list(weights.values())), offsets)
    return FittedStacking(
        weights=weights,
        offsets=dict(zip(combined["val_answers"].columns, offsets.tolist(), strict=True)),
        floor=PROB_FLOOR,
        val_kl=float(kl_divergence(answers, held_out).mean()),
        mean_kl=float(kl_divergence(answers, combined["val_predictions"].to_numpy()).mean()),
        tables=combined | {kind: _like(combined[kind], values) for kind, values in made.items()},
    )


def _by_kind(members: Sequence[Member], tables: dict[str, Tables], kinds: dict[str, str]) -> np.ndarray:
    """Validation predictions `(K, N, num_classes)`: clips as `combine` has them, and the folds of one kind as one."""
    wanted = list(dict.fromkeys(kinds.values()))
    folds = [{kinds[name]: held for name, held in group.items()} for group in by_fold(members, tables)]
    if missing := [kind for kind in wanted if any(kind not in fold for fold in folds)]:
        raise RunError(
            f"{members[0].path.parent}: {first_names(missing)} missing in some folds; train the missing members, "
            "or use combine=mean"
        )
    return np.stack([np.concatenate([fold[kind]["val_predictions"].to_numpy() for fold in folds]) for kind in wanted])


def _like(table: pd.DataFrame, values: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(values, index=table.index, columns=table.columns)


def _cross_validate(probs: np.ndarray, answers: np.ndarray) -> np.ndarray:
    """Predictions `(N, num_classes)`, of each part of the clips by what was fitted on the other parts."""
    held_out = np.empty_like(answers)
    for part in np.array_split(np.random.default_rng(0).permutation(len(answers)), NUM_PARTS):
        rest = np.setdiff1d(np.arange(len(answers)), part)
        held_out[part] = pool(probs[:, part], *fit(probs[:, rest], answers[rest]))
    return held_out


def pool(probs: np.ndarray, weights: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Members' probabilities `(M, N, num_classes)`, weights `(M,)`, offsets `(num_classes,)` -> `(N, num_classes)`."""
    return _softmax(np.tensordot(weights, _log(probs), axes=1) + offsets)


def _log(probs: np.ndarray) -> np.ndarray:
    return np.log(np.maximum(probs, PROB_FLOOR))


def _softmax(scores: np.ndarray) -> np.ndarray:
    odds = np.exp(scores - scores.max(axis=1, keepdims=True))
    return odds / odds.sum(axis=1, keepdims=True)


def fit(probs: np.ndarray, answers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Members' probabilities `(M, N, num_classes)` -> weights `(M,)` and offsets `(num_classes,)` of least KL.

    The KL is convex in both, so that Newton's method finds the one minimum. A Gaussian prior around the members'
    geometric mean counts as much as PRIOR clips.
    """
    log_probs = _log(probs)
    num_members, num_clips, num_classes = probs.shape
    strength = PRIOR / num_clips
    start = np.concatenate([np.full(num_members, 1 / num_members), np.zeros(num_classes)])

    def predict(params: np.ndarray) -> np.ndarray:
        return _softmax(np.tensordot(params[:num_members], log_probs, axes=1) + params[num_members:])

    def loss(params: np.ndarray) -> float:
        return kl_divergence(answers, predict(params)).mean() + strength / 2 * np.sum((params - start) ** 2)

    params = start
    for _ in range(100):  # five or six steps do, unless a member is far off
        gradient, hessian = _derivatives(log_probs, predict(params), answers)
        step = np.linalg.solve(hessian + strength * np.eye(len(params)), gradient + strength * (params - start))
        if np.abs(step).max() < 1e-6:
            break
        while loss(params - step) > loss(params):
            step /= 2
        params = params - step
    return params[:num_members], params[num_members:]


def _derivatives(log_probs: np.ndarray, probs: np.ndarray, answers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Gradient and Hessian of the mean KL at the predictions `probs`, by the weights first and then by the offsets."""
    num_members, num_clips, _ = log_probs.shape
    error = probs - answers
    gradient = np.concatenate([np.tensordot(log_probs, error, axes=2) / num_clips, error.mean(axis=0)])
    centered = log_probs - (log_probs * probs).sum(axis=2, keepdims=True)
    weighted = centered * probs
    by_weights = weighted.reshape(num_members, -1) @ centered.reshape(num_members, -1).T / num_clips
    by_offsets = np.diag(probs.mean(axis=0)) - probs.T @ probs / num_clips
    mixed = weighted.mean(axis=1)
    return gradient, np.block([[by_weights, mixed], [mixed.T, by_offsets]])
