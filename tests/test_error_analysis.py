"""Metrics per word, confused pairs and calibration against hand-computed values."""

import numpy as np
import pandas as pd
import pytest

from overlapped_words.ensembling.errors import by_word, confusions, reliability
from overlapped_words.ensembling.metrics import kl_divergence, recall
from tests.helpers.fake_members import probabilities

# Clip 1: a and b recalled. Clip 2: a recalled, b missed, c predicted instead. Clip 3: c missed, a predicted instead.
TARGETS = pd.DataFrame([[0.5, 0.5, 0, 0], [0.5, 0.5, 0, 0], [0, 0, 1, 0]], columns=list("abcd"))
PROBS = pd.DataFrame([[0.4, 0.5, 0.1, 0], [0.5, 0.1, 0.4, 0], [0.5, 0.25, 0.25, 0]], columns=list("abcd"))


def test_recall_and_kl_per_word():
    table = by_word(TARGETS, PROBS)
    assert table["word"].tolist() == ["c", "b", "a"]  # the lowest recall first; d is in no clip
    assert table["clips"].tolist() == [1, 2, 2]
    assert table["recall"].tolist() == [0, 0.5, 1]
    assert table["kl"].tolist() == pytest.approx([np.log(4), 0.25 * np.log(5), 0.25 * np.log(1.25)])


def test_metrics_per_word_add_up_to_the_total():
    targets, probs = probabilities(0, 50, 6), probabilities(1, 50, 6)
    targets[targets < 0.15] = 0
    targets /= targets.sum(axis=1, keepdims=True)
    table = by_word(pd.DataFrame(targets), pd.DataFrame(probs))
    assert (table["clips"] * table["kl"]).sum() / 50 == pytest.approx(kl_divergence(targets, probs).mean())
    words = (targets > 0).sum(axis=1)
    assert (table["clips"] * table["recall"]).sum() == pytest.approx((recall(targets, probs) * words).sum())


def test_pairs_of_a_missed_and_a_predicted_word():
    table = confusions(TARGETS, PROBS)
    assert table.to_numpy().tolist() == [["b", "c", 1], ["c", "a", 1]]


def test_a_missed_word_is_split_among_the_wrong_words():
    targets = pd.DataFrame([[0.5, 0.5, 0, 0], [1, 0, 0, 0]], columns=list("abcd"))
    probs = pd.DataFrame([[0, 0.1, 0.5, 0.4], [0.1, 0, 0.9, 0]], columns=list("abcd"))
    table = confusions(targets, probs).set_index(["missed", "predicted"])["clips"]
    assert table.to_dict() == {("a", "c"): 1.5, ("a", "d"): 0.5, ("b", "c"): 0.5, ("b", "d"): 0.5}
    assert confusions(targets, targets).empty


def test_reliability_compares_means_per_bin():
    targets = pd.DataFrame([[0.5, 0.5, 0], [1, 0, 0]], columns=list("abc"))
    probs = pd.DataFrame([[0.8, 0.1, 0.1], [0.6, 0.4, 0]], columns=list("abc"))
    table = reliability(targets, probs, num_bins=2)  # [0, 0.4) and [0.4, 0.8]
    assert table["predicted"].tolist() == pytest.approx([0.2 / 3, 0.6])
    assert table["true"].tolist() == pytest.approx([0.5 / 3, 0.5])
    assert table["pairs"].tolist() == [3, 3]
    assert table["error"].tolist() == pytest.approx([np.std([0.5, 0, 0]) / 3**0.5, np.std([0.5, 1, 0]) / 3**0.5])
