"""Metrics against hand-computed values: of the data, per word, confused pairs, calibration, the gain from averaging."""

import numpy as np
import pandas as pd
import pytest
import torch

from lightning_modules.metrics import METRICS, mean_metrics, uniform
from lightning_modules.metrics.kl import PROB_FLOOR, kl
from lightning_modules.metrics.recall import recall
from overlapped_words.ensembling.error_analysis import by_word, confusions, false_alarms, kl_by_number, reliability
from overlapped_words.report import report_plots
from tests.helpers.fake_members import probabilities


def sparse(targets: np.ndarray, least: float) -> np.ndarray:
    kept = np.where(targets < least, 0, targets)
    return kept / kept.sum(axis=1, keepdims=True)


def test_kl_and_recall_by_hand_and_of_the_uniform_prediction() -> None:
    targets = np.array([[0.5, 0.5, 0.0], [0.0, 1.0, 0.0], [0.2, 0.3, 0.5], [1.0, 0.0, 0.0]])
    probs = np.array([[0.25, 0.5, 0.25], [0.0, 0.125, 0.875], [0.2, 0.3, 0.5], [0.0, 1.0, 0.0]])
    assert kl(targets, probs) == pytest.approx([0.5 * np.log(2), np.log(8), 0, -np.log(PROB_FLOOR)])
    targets, probs = sparse(probabilities(0, 50, 30), 0.02), probabilities(1, 50, 30)
    expected = torch.nn.functional.kl_div(torch.from_numpy(probs).log(), torch.from_numpy(targets), reduction="none")
    np.testing.assert_allclose(kl(targets, probs), expected.sum(dim=1).numpy(), rtol=1e-12)
    targets = np.array([[0.5, 0.5, 0, 0], [0.9, 0.1, 0, 0], [0, 0, 1, 0], [0, 0, 1, 0], [0.25] * 4])
    probs = np.array([[4, 3, 2, 1], [1, 4, 3, 2], [1, 2, 4, 3], [4, 2, 3, 1], [7, 1, 1, 1]]) / 10
    assert recall(targets, probs).tolist() == [1, 0.5, 1, 0, 1]
    ties = np.array([[0.4, 0.2, 0.2, 0.2], [0.4, 0.2, 0.2, 0.2]])  # one place for three words
    assert recall(targets[[0, 2]], ties) == pytest.approx([(1 + 1 / 3) / 2, 0])
    targets = np.zeros((2, 30), np.float32)
    targets[0, :4] = 0.25
    targets[1, 7] = 1
    assert METRICS["recall"](targets, uniform(targets)) == pytest.approx([4 / 30, 1 / 30])  # of a random guess
    means = mean_metrics(targets, targets)
    assert means == pytest.approx({"kl": 0, "recall": 1, "kl_constant": (np.log(30 / 4) + np.log(30)) / 2})


# Clip 1: a and b recalled. Clip 2: a recalled, b missed, c predicted instead. Clip 3: c missed, a predicted instead.
TARGETS = pd.DataFrame([[0.5, 0.5, 0, 0], [0.5, 0.5, 0, 0], [0, 0, 1, 0]], columns=list("abcd"))
PROBS = pd.DataFrame([[0.4, 0.5, 0.1, 0], [0.5, 0.1, 0.4, 0], [0.5, 0.25, 0.25, 0]], columns=list("abcd"))


def test_metrics_per_word_confused_pairs_and_reliability_by_hand():
    table = by_word(TARGETS, PROBS)
    assert table["word"].tolist() == ["c", "b", "a"]  # the lowest recall first; d is in no clip
    assert table["clips"].tolist() == [1, 2, 2]
    assert table["recall"].tolist() == [0, 0.5, 1]
    assert table["kl"].tolist() == pytest.approx([np.log(4), 0.25 * np.log(5), 0.25 * np.log(1.25)])
    targets, probs = sparse(probabilities(0, 50, 6), 0.15), probabilities(1, 50, 6)
    table = by_word(pd.DataFrame(targets), pd.DataFrame(probs))
    assert (table["clips"] * table["kl"]).sum() / 50 == pytest.approx(kl(targets, probs).mean())
    words = (targets > 0).sum(axis=1)
    assert (table["clips"] * table["recall"]).sum() == pytest.approx((recall(targets, probs) * words).sum())
    assert confusions(TARGETS, PROBS).to_numpy().tolist() == [["b", "c", 1], ["c", "a", 1]]
    assert confusions(TARGETS, TARGETS).empty
    # Two words predicted instead of two: each missed word is split equally.
    targets = pd.DataFrame([[0.5, 0.5, 0, 0], [1, 0, 0, 0]], columns=list("abcd"))
    probs = pd.DataFrame([[0, 0.1, 0.5, 0.4], [0.1, 0, 0.9, 0]], columns=list("abcd"))
    table = confusions(targets, probs).set_index(["missed", "predicted"])["clips"]
    assert table.to_dict() == {("a", "c"): 1.5, ("a", "d"): 0.5, ("b", "c"): 0.5, ("b", "d"): 0.5}
    targets = pd.DataFrame([[0.5, 0.5, 0], [1, 0, 0]], columns=list("abc"))
    probs = pd.DataFrame([[0.8, 0.1, 0.1], [0.6, 0.4, 0]], columns=list("abc"))
    table = reliability(targets, probs, num_bins=2)  # [0, 0.4) and [0.4, 0.8]
    assert table["predicted"].tolist() == pytest.approx([0.2 / 3, 0.6])
    assert table["true"].tolist() == pytest.approx([0.5 / 3, 0.5])
    assert table["pairs"].tolist() == [3, 3]
    assert table["error"].tolist() == pytest.approx([np.std([0.5, 0, 0]) / 3**0.5, np.std([0.5, 1, 0]) / 3**0.5])


def test_kl_by_number_from_one_member_to_the_mean_of_all():
    targets, predictions = sparse(probabilities(0, 20), 0.1), np.stack([probabilities(seed, 20) for seed in (1, 2, 3)])
    curves = kl_by_number(targets, predictions)
    assert curves.shape == (20, 3)
    members = [kl(targets, probs).mean() for probs in predictions]
    assert {round(kl, 9) for kl in curves[:, 0]} == {round(kl, 9) for kl in members}
    pairs = {round(kl(targets, predictions[[i, j]].mean(axis=0)).mean(), 9) for i, j in ((0, 1), (0, 2), (1, 2))}
    assert {round(kl, 9) for kl in curves[:, 1]} == pairs
    assert curves[:, 2] == pytest.approx(kl(targets, predictions.mean(axis=0)).mean())
    assert curves[0, 2] < np.mean(members)  # Jensen
    assert np.isfinite(kl_by_number(np.array([[1.0, 0.0]]), np.array([[[0.0, 1.0]]]))).all()


def test_every_threshold_has_its_misses_and_false_alarms():
    table = false_alarms(pd.DataFrame({"has_words": [1, 1, 1, 0, 0, 0], "any_word": [0.9, 0.2, 0.6, 0.6, 0.3, 0.1]}))
    assert table["threshold"].tolist() == [0.9, 0.6, 0.3, 0.2, 0.1]
    np.testing.assert_allclose(table["missed"], [2 / 3, 1 / 3, 1 / 3, 0, 0])
    np.testing.assert_allclose(table["per_hour"], [0, 1200, 2400, 2400, 3600])
    (curve,) = report_plots.false_alarms(table).data
    assert list(curve.x) == list(table["missed"]) and list(curve.y) == list(table["per_hour"])
