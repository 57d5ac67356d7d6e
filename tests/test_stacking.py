"""Weights fitted on validation clips: that they are the best ones, and that they are compared fairly with the mean."""

import numpy as np
import pytest

from ensembling.combine import combine, gather
from ensembling.metrics import kl_divergence
from ensembling.stacking import PRIOR, FittedStacking, fit, fit_stacking, pool
from errors import RunError
from runs.members import find_members
from tests.helpers.fake_members import (
    WORDS,
    fold_ids,
    probabilities,
    write_csv,
    write_folds,
    write_member,
    write_unequal,
)


def stack_of(sweep) -> FittedStacking:
    members = find_members(sweep)
    tables, _ = gather(members)
    return fit_stacking(members, tables, combine(members, tables))


def members_and_answers(num_members: int, num_clips: int) -> tuple[np.ndarray, np.ndarray]:
    probs = np.stack([probabilities(seed, num_clips, 5) for seed in range(num_members)])
    return probs, probabilities(99, num_clips, 5)


def test_the_pool_of_equal_weights_that_sum_to_one_is_the_geometric_mean():
    probs = members_and_answers(3, 4)[0]
    mean = probs.prod(axis=0) ** (1 / 3)
    np.testing.assert_allclose(pool(probs, np.full(3, 1 / 3), np.zeros(5)), mean / mean.sum(axis=1, keepdims=True))


def test_an_offset_multiplies_the_odds_of_its_word():
    probs = np.array([[[0.5, 0.25, 0.25]]])
    np.testing.assert_allclose(pool(probs, np.ones(1), np.log([1, 2, 1])), [[0.4, 0.4, 0.2]])


def test_the_weights_that_made_the_answers_are_found():
    probs = members_and_answers(3, 4000)[0]
    weights, offsets = np.array([1.2, 0, 0.4]), np.array([0.5, -0.5, 0.25, -0.25, 0])
    found = fit(probs, pool(probs, weights, offsets))
    np.testing.assert_allclose(found[0], weights, atol=0.02)
    np.testing.assert_allclose(found[1], offsets, atol=0.02)


def test_no_step_in_any_direction_is_better():
    probs, answers = members_and_answers(2, 30)

    def loss(params: np.ndarray) -> float:
        away = params - np.array([0.5, 0.5, 0, 0, 0, 0, 0])
        return kl_divergence(answers, pool(probs, params[:2], params[2:])).sum() + PRIOR / 2 * away @ away

    best = np.concatenate(fit(probs, answers))
    for i in range(len(best)):
        for size in (-1e-3, 1e-3):
            assert loss(best + size * np.eye(len(best))[i]) > loss(best)


def test_a_member_that_is_sure_and_wrong_does_no_harm():
    rng = np.random.default_rng(0)
    answers = np.eye(5)[rng.integers(0, 5, 50)]
    wrong = np.roll(answers, 1, axis=1)
    weights, offsets = fit(np.stack([wrong, 0.5 * answers + 0.1]), answers)
    assert kl_divergence(answers, pool(np.stack([wrong, 0.5 * answers + 0.1]), weights, offsets)).mean() < 0.1


def test_unequal_members_are_weighted_and_beat_their_mean_and_the_better_one(tmp_path):
    test_probs = write_unequal(tmp_path)
    stack = stack_of(tmp_path)
    assert stack.better_than_mean and stack.val_kl < 0.8 * stack.mean_kl
    assert list(stack.weights) == ["avg_seed0", "max_seed0"] and list(stack.offsets) == WORDS
    assert abs(stack.weights["max_seed0"]) < 0.3 < stack.weights["avg_seed0"]
    members = find_members(tmp_path)
    tables = gather(members)[0]["avg_seed0"]
    better = kl_divergence(tables["val_answers"].to_numpy(), tables["val_predictions"].to_numpy()).mean()
    assert stack.val_kl < better
    by_hand = pool(
        np.stack(list(test_probs.values())), np.array(list(stack.weights.values())), np.array([*stack.offsets.values()])
    )
    np.testing.assert_allclose(stack.tables["predictions"].to_numpy(), by_hand, rtol=1e-6)


def test_a_mean_that_is_right_is_not_beaten(tmp_path):
    write_unequal(tmp_path)
    folders = [tmp_path / "avg_seed0", tmp_path / "max_seed0"]
    ids, values = [f"v{i}" for i in range(60)], [probabilities(seed, 60) for seed in (1, 2)]
    for folder, rows in zip(folders, values, strict=True):
        write_csv(folder / "val_predictions.csv", ids, rows)
        write_csv(folder / "val_answers.csv", ids, np.mean(values, axis=0))
    stack = stack_of(tmp_path)
    assert not stack.better_than_mean and stack.val_kl > 0.01 and stack.mean_kl == pytest.approx(0, abs=1e-9)


def test_a_clip_is_predicted_by_what_was_fitted_without_it(tmp_path):
    write_unequal(tmp_path)
    before = stack_of(tmp_path).tables["val_predictions"]
    for folder in tmp_path.iterdir():
        lines = (folder / "val_answers.csv").read_text(encoding="utf-8").splitlines()
        lines[18] = "v17," + ("1.0,0,0,0" if lines[18].split(",")[1] == "0.0" else "0,0,0,1.0")
        (folder / "val_answers.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    same = np.isclose(stack_of(tmp_path).tables["val_predictions"], before, rtol=0, atol=1e-12).all(axis=1)
    assert same[17] and not same.all()


def write_long_folds(sweep) -> None:
    """The members of `write_folds` with six clips a fold, which avg knows and max does not."""
    write_folds(sweep)
    rng = np.random.default_rng(1)
    for fold in range(2):
        ids = [f"{name} {i}" for name in fold_ids(fold) for i in range(3)]
        answers = np.eye(len(WORDS))[rng.integers(0, len(WORDS), 6)]
        noise = rng.dirichlet(np.ones(len(WORDS)), 6)
        for pool_, rows in (("avg", 0.6 * answers + 0.1), ("max", noise)):
            folder = sweep / f"{pool_}_seed0_fold{fold}"
            write_csv(folder / "val_predictions.csv", ids, rows)
            write_csv(folder / "val_answers.csv", ids, answers)


def test_folds_of_one_kind_share_a_weight(tmp_path):
    write_long_folds(tmp_path)
    stack = stack_of(tmp_path)
    assert list(stack.weights) == ["avg_seed0_fold0", "avg_seed0_fold1", "max_seed0_fold0", "max_seed0_fold1"]
    tables = gather(find_members(tmp_path))[0]
    probs = np.stack(
        [
            np.concatenate([tables[f"{kind}_fold{fold}"]["val_predictions"].to_numpy() for fold in range(2)])
            for kind in ("avg_seed0", "max_seed0")
        ]
    )
    weights, offsets = fit(probs, stack.tables["val_answers"].to_numpy())
    assert list(stack.weights.values()) == pytest.approx(np.repeat(weights / 2, 2))
    assert list(stack.offsets.values()) == pytest.approx(offsets)


def test_a_kind_that_a_fold_lacks_is_named(tmp_path):
    write_long_folds(tmp_path)
    members = [member for member in find_members(tmp_path) if member.name != "max_seed0_fold1"]
    tables, _ = gather(members)
    with pytest.raises(RunError, match="max_seed0 missing in some folds; train"):
        fit_stacking(members, tables, combine(members, tables))


@pytest.mark.parametrize("val", [True, False])
def test_too_few_validation_clips(tmp_path, val):
    write_member(tmp_path, "avg", 0, val=val)
    with pytest.raises(RunError, match="combine=stacked is fitted on validation clips, and there are fewer than 5"):
        stack_of(tmp_path)
