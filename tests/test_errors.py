"""Words, pairs and calibration, against values computed by hand."""

import numpy as np
import pandas as pd
import pytest

from ensembling.errors import by_word, confusions, reliability
from ensembling.metrics import kl_divergence, recall
from tests.helpers.fake_members import probabilities

# Recalled: a and b of the first clip, a of the second (b missed, c answered), none of the third (c; a answered).
ANSWERS = pd.DataFrame([[0.5, 0.5, 0, 0], [0.5, 0.5, 0, 0], [0, 0, 1, 0]], columns=list("abcd"))
PROBS = pd.DataFrame([[0.4, 0.5, 0.1, 0], [0.5, 0.1, 0.4, 0], [0.5, 0.25, 0.25, 0]], columns=list("abcd"))


def test_each_word_has_its_recall_and_its_share_of_the_kl():
    table = by_word(ANSWERS, PROBS)
    assert table["word"].tolist() == ["c", "b", "a"]  # the hardest first; d is in no clip
    assert table["clips"].tolist() == [1, 2, 2]
    assert table["recall"].tolist() == [0, 0.5, 1]
    assert table["kl"].tolist() == pytest.approx([np.log(4), 0.25 * np.log(5), 0.25 * np.log(1.25)])


def test_words_add_up_to_all():
    answers, probs = probabilities(0, 50, 6), probabilities(1, 50, 6)
    answers[answers < 0.15] = 0
    answers /= answers.sum(axis=1, keepdims=True)
    table = by_word(pd.DataFrame(answers), pd.DataFrame(probs))
    assert (table["clips"] * table["kl"]).sum() / 50 == pytest.approx(kl_divergence(answers, probs).mean())
    words = (answers > 0).sum(axis=1)
    assert (table["clips"] * table["recall"]).sum() == pytest.approx((recall(answers, probs) * words).sum())


def test_pairs_of_words_missed_and_answered_instead():
    table = confusions(ANSWERS, PROBS)
    assert table.to_numpy().tolist() == [["b", "c", 1], ["c", "a", 1]]


def test_a_missed_word_is_shared_out_among_the_wrong_answers():
    answers = pd.DataFrame([[0.5, 0.5, 0, 0], [1, 0, 0, 0]], columns=list("abcd"))
    probs = pd.DataFrame([[0, 0.1, 0.5, 0.4], [0.1, 0, 0.9, 0]], columns=list("abcd"))
    table = confusions(answers, probs).set_index(["missed", "answered"])["clips"]
    assert table.to_dict() == {("a", "c"): 1.5, ("a", "d"): 0.5, ("b", "c"): 0.5, ("b", "d"): 0.5}
    assert confusions(answers, answers).empty


def test_reliability_compares_means_in_bins():
    answers = pd.DataFrame([[0.5, 0.5, 0], [1, 0, 0]], columns=list("abc"))
    probs = pd.DataFrame([[0.8, 0.1, 0.1], [0.6, 0.4, 0]], columns=list("abc"))
    table = reliability(answers, probs, num_bins=2)  # up to 0.4, and from there to 0.8
    assert table["predicted"].tolist() == pytest.approx([0.2 / 3, 0.6])
    assert table["true"].tolist() == pytest.approx([0.5 / 3, 0.5])
    assert table["pairs"].tolist() == [3, 3]
    assert table["error"].tolist() == pytest.approx([np.std([0.5, 0, 0]) / 3**0.5, np.std([0.5, 1, 0]) / 3**0.5])
