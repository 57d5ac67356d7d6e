"""KL and recall against hand-computed values and PyTorch."""

import numpy as np
import pytest
import torch

from ensembling.metrics import FLOOR, kl_divergence, recall, uniform_kl, uniform_recall
from tests.helpers.fake_members import probabilities


def test_kl_by_hand():
    answers = np.array([[0.5, 0.5, 0.0], [0.0, 1.0, 0.0], [0.2, 0.3, 0.5]])
    probs = np.array([[0.25, 0.5, 0.25], [0.0, 0.125, 0.875], [0.2, 0.3, 0.5]])
    assert kl_divergence(answers, probs) == pytest.approx([0.5 * np.log(2), np.log(8), 0])


def test_kl_is_that_of_torch():
    answers, probs = probabilities(0, 50, 30), probabilities(1, 50, 30)
    answers[answers < 0.02] = 0
    answers /= answers.sum(axis=1, keepdims=True)
    expected = torch.nn.functional.kl_div(torch.from_numpy(probs).log(), torch.from_numpy(answers), reduction="none")
    np.testing.assert_allclose(kl_divergence(answers, probs), expected.sum(dim=1).numpy(), rtol=1e-12)
    batchmean = torch.nn.functional.kl_div(
        torch.from_numpy(probs).log(), torch.from_numpy(answers), reduction="batchmean"
    )
    assert kl_divergence(answers, probs).mean() == pytest.approx(float(batchmean))


def test_a_true_word_with_probability_zero_costs_a_finite_amount():
    assert kl_divergence(np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]])) == pytest.approx([-np.log(FLOOR)])


def test_the_constant_answer():
    answers = np.zeros((2, 30))
    answers[0, :4] = 0.25
    answers[1, 7] = 1
    assert uniform_kl(answers) == pytest.approx([np.log(30 / 4), np.log(30)])
    assert uniform_recall(answers) == pytest.approx([4 / 30, 1 / 30])


def test_recall_counts_as_many_words_as_the_clip_has():
    answers = np.array([[0.5, 0.5, 0, 0], [0.9, 0.1, 0, 0], [0, 0, 1, 0], [0, 0, 1, 0], [0.25] * 4])
    probs = np.array(
        [[0.4, 0.3, 0.2, 0.1], [0.1, 0.4, 0.3, 0.2], [0.1, 0.2, 0.4, 0.3], [0.4, 0.2, 0.3, 0.1], [0.7, 0.1, 0.1, 0.1]]
    )
    assert recall(answers, probs).tolist() == [1, 0.5, 1, 0, 1]
