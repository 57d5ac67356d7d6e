"""Stacking weights are optimal on the validation clips, and are compared with the mean on held-out clips."""

import numpy as np
import pytest

from lightning_modules.metrics.kl import kl
from overlapped_words.ensembling.combine import combine, gather, member_probs
from overlapped_words.ensembling.stacking import FittedStacking, fit, fit_stacking, pool
from overlapped_words.errors import RunError
from overlapped_words.runs.members import find_members
from tests.helpers.fake_members import (
    WORDS,
    fold_ids,
    probabilities,
    write_csv,
    write_folds,
    write_member,
    write_unequal,
)


def stacking_of(sweep) -> FittedStacking:
    members = find_members(sweep)
    tables, _ = gather(members)
    return fit_stacking(members, tables, combine(members, tables))


def probs_and_targets(num_members: int, num_clips: int) -> tuple[np.ndarray, np.ndarray]:
    probs = np.stack([probabilities(seed, num_clips, 5) for seed in range(num_members)])
    return probs, probabilities(99, num_clips, 5)


def test_weights_give_a_geometric_mean_and_offsets_multiply_the_odds():
    probs = probs_and_targets(3, 4)[0]
    mean = probs.prod(axis=0) ** (1 / 3)
    np.testing.assert_allclose(pool(probs, np.full(3, 1 / 3), np.zeros(5)), mean / mean.sum(axis=1, keepdims=True))
    np.testing.assert_allclose(pool(np.array([[[0.5, 0.25, 0.25]]]), np.ones(1), np.log([1, 2, 1])), [[0.4, 0.4, 0.2]])


def test_fit_recovers_the_weights_that_generated_the_targets():
    probs = probs_and_targets(3, 4000)[0]
    weights, offsets = np.array([1.2, 0, 0.4]), np.array([0.5, -0.5, 0.25, -0.25, 0])
    found = fit(probs, pool(probs, weights, offsets))
    np.testing.assert_allclose(found[0], weights, atol=0.02)
    np.testing.assert_allclose(found[1], offsets, atol=0.02)


def test_a_confident_and_wrong_member_does_no_harm():
    targets = np.eye(5)[np.random.default_rng(0).integers(0, 5, 50)]
    probs = np.stack([np.roll(targets, 1, axis=1), 0.5 * targets + 0.1])
    assert kl(targets, pool(probs, *fit(probs, targets))).mean() < 0.1


def test_unequal_members_are_weighted_and_beat_their_mean_and_the_better_one(tmp_path):
    test_probs = write_unequal(tmp_path)
    stacking = stacking_of(tmp_path)
    assert stacking.better_than_mean and stacking.val_kl < 0.8 * stacking.mean_kl
    assert list(stacking.weights) == ["avg_seed0", "max_seed0"] and list(stacking.offsets) == WORDS
    assert abs(stacking.weights["max_seed0"]) < 0.3 < stacking.weights["avg_seed0"]
    tables = gather(find_members(tmp_path))[0]["avg_seed0"]
    assert stacking.val_kl < kl(tables["val_answers"].to_numpy(), tables["val_predictions"].to_numpy()).mean()
    weights, offsets = (np.array([*values.values()]) for values in (stacking.weights, stacking.offsets))
    by_hand = pool(np.stack(list(test_probs.values())), weights, offsets)
    np.testing.assert_allclose(stacking.tables["predictions"].to_numpy(), by_hand, rtol=1e-6)


def test_a_validation_clip_is_predicted_by_weights_fitted_without_it(tmp_path):
    write_unequal(tmp_path)
    before = stacking_of(tmp_path).tables["val_predictions"]
    for folder in tmp_path.iterdir():
        lines = (folder / "val_answers.csv").read_text(encoding="utf-8").splitlines()
        lines[18] = "v17," + ("1.0,0,0,0" if lines[18].split(",")[1] == "0.0" else "0,0,0,1.0")
        (folder / "val_answers.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    same = np.isclose(stacking_of(tmp_path).tables["val_predictions"], before, rtol=0, atol=1e-12).all(axis=1)
    assert same[17] and not same.all()


def write_long_folds(sweep) -> None:
    """`write_folds` with six clips per fold; avg is informative, max is noise."""
    write_folds(sweep)
    rng = np.random.default_rng(1)
    for fold in range(2):
        ids = [f"{name} {i}" for name in fold_ids(fold) for i in range(3)]
        targets = np.eye(len(WORDS))[rng.integers(0, len(WORDS), 6)]
        noise = rng.dirichlet(np.ones(len(WORDS)), 6)
        for pool_, rows in (("avg", 0.6 * targets + 0.1), ("max", noise)):
            folder = sweep / f"{pool_}_seed0_fold{fold}"
            write_csv(folder / "val_predictions.csv", ids, rows)
            write_csv(folder / "val_answers.csv", ids, targets)


def test_members_that_differ_only_in_their_fold_share_a_weight(tmp_path):
    write_long_folds(tmp_path)
    stacking = stacking_of(tmp_path)
    assert list(stacking.weights) == ["avg_seed0_fold0", "avg_seed0_fold1", "max_seed0_fold0", "max_seed0_fold1"]
    members = find_members(tmp_path)
    probs = member_probs(members, gather(members)[0], "val_predictions")
    weights, offsets = fit(probs, stacking.tables["val_answers"].to_numpy())
    assert list(stacking.weights.values()) == pytest.approx(np.repeat(weights / 2, 2))
    assert list(stacking.offsets.values()) == pytest.approx(offsets)


def test_a_member_missing_in_a_fold_is_an_error(tmp_path):
    write_long_folds(tmp_path)
    members = [member for member in find_members(tmp_path) if member.name != "max_seed0_fold1"]
    tables, _ = gather(members)
    with pytest.raises(RunError, match="not every fold has the same members; train"):
        fit_stacking(members, tables, combine(members, tables))


def test_too_few_validation_clips(tmp_path):
    write_member(tmp_path, "avg", 0)
    with pytest.raises(RunError, match=f"^{tmp_path}: combine=stacked needs at least 5 validation clips"):
        stacking_of(tmp_path)
