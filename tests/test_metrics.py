"""KL and recall against hand-computed values and PyTorch."""

import numpy as np
import pytest
import torch

from overlapped_words.ensembling.metrics import kl_divergence, recall, uniform_kl, uniform_recall
from overlapped_words.runs.tables import PROB_FLOOR
from tests.helpers.fake_members import probabilities


def test_kl_by_hand():
    targets = np.array([[0.5, 0.5, 0.0], [0.0, 1.0, 0.0], [0.2, 0.3, 0.5]])
    probs = np.array([[0.25, 0.5, 0.25], [0.0, 0.125, 0.875], [0.2, 0.3, 0.5]])
    assert kl_divergence(targets, probs) == pytest.approx([0.5 * np.log(2), np.log(8), 0])


def test_kl_equals_torch():
    targets, probs = probabilities(0, 50, 30), probabilities(1, 50, 30)
    targets[targets < 0.02] = 0
    targets /= targets.sum(axis=1, keepdims=True)
    expected = torch.nn.functional.kl_div(torch.from_numpy(probs).log(), torch.from_numpy(targets), reduction="none")
    np.testing.assert_allclose(kl_divergence(targets, probs), expected.sum(dim=1).numpy(), rtol=1e-12)
    batchmean = torch.nn.functional.kl_div(
        torch.from_numpy(probs).log(), torch.from_numpy(targets), reduction="batchmean"
    )
    assert kl_divergence(targets, probs).mean() == pytest.approx(float(batchmean))


def test_probability_zero_of_a_true_word_gives_a_finite_kl():
    assert kl_divergence(np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]])) == pytest.approx([-np.log(PROB_FLOOR)])


def test_uniform_prediction():
    targets = np.zeros((2, 30))
    targets[0, :4] = 0.25
    targets[1, 7] = 1
    assert uniform_kl(targets) == pytest.approx([np.log(30 / 4), np.log(30)])
    assert uniform_recall(targets) == pytest.approx([4 / 30, 1 / 30])


def test_recall_uses_the_clips_own_number_of_words():
    targets = np.array([[0.5, 0.5, 0, 0], [0.9, 0.1, 0, 0], [0, 0, 1, 0], [0, 0, 1, 0], [0.25] * 4])
    probs = np.array(
        [[0.4, 0.3, 0.2, 0.1], [0.1, 0.4, 0.3, 0.2], [0.1, 0.2, 0.4, 0.3], [0.4, 0.2, 0.3, 0.1], [0.7, 0.1, 0.1, 0.1]]
    )
    assert recall(targets, probs).tolist() == [1, 0.5, 1, 0, 1]
