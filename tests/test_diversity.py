"""Gain from averaging against hand-computed values."""

import numpy as np
import pytest

from overlapped_words.ensembling.combine import combine, gather
from overlapped_words.ensembling.diversity import kl_by_number, member_probs
from overlapped_words.ensembling.metrics import kl_divergence
from overlapped_words.runs.members import find_members
from tests.helpers.fake_members import probabilities, write_folds, write_member


def test_member_probs_in_the_order_of_the_clips(tmp_path):
    for pool in ("avg", "max"):
        write_member(tmp_path, pool, 0)
    members = find_members(tmp_path)
    tables, _ = gather(members)
    np.testing.assert_allclose(
        member_probs(members, tables, "predictions"), [probabilities(0, 3), probabilities(1000, 3)]
    )
    predictions = member_probs(members, tables, "val_predictions")
    np.testing.assert_allclose(predictions, [probabilities(500, 2), probabilities(1500, 2)])


def test_the_first_members_of_all_folds_are_joined(tmp_path):
    means = write_folds(tmp_path)
    members = find_members(tmp_path)
    tables, _ = gather(members)
    predictions = member_probs(members, tables, "val_predictions")
    assert predictions.shape == (2, 4, 4)  # avg and max, each of the folds 0 and 1
    np.testing.assert_allclose(predictions.mean(axis=0), means)
    np.testing.assert_allclose(combine(members, tables)["val_predictions"], means)
    del tables["max_seed0_fold1"]
    members = [member for member in members if member.name in tables]
    assert member_probs(members, tables, "val_predictions").shape == (1, 4, 4)


def test_kl_by_number_from_one_member_to_the_mean_of_all():
    targets, predictions = probabilities(0, 20), np.stack([probabilities(seed, 20) for seed in (1, 2, 3)])
    targets[:, 0] = 0
    targets /= targets.sum(axis=1, keepdims=True)
    curves = kl_by_number(targets, predictions)
    assert curves.shape == (20, 3)
    members = [kl_divergence(targets, probs).mean() for probs in predictions]
    assert {round(kl, 9) for kl in curves[:, 0]} == {round(kl, 9) for kl in members}
    pairs = {
        round(kl_divergence(targets, predictions[[i, j]].mean(axis=0)).mean(), 9) for i, j in ((0, 1), (0, 2), (1, 2))
    }
    assert {round(kl, 9) for kl in curves[:, 1]} == pairs
    assert curves[:, 2] == pytest.approx(kl_divergence(targets, predictions.mean(axis=0)).mean())
    assert curves[0, 2] < np.mean(members)  # Jensen


def test_probability_zero_gives_a_finite_kl():
    assert np.isfinite(kl_by_number(np.array([[1.0, 0.0]]), np.array([[[0.0, 1.0]]]))).all()
