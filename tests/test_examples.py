"""The clips that report.html shows. test_cached_audio.py tests their audio."""

import numpy as np
import pandas as pd
import pytest

from overlapped_words.report.examples import best_and_worst


def table(values, ids) -> pd.DataFrame:
    return pd.DataFrame(values, index=ids, columns=["a", "b", "c"])


def test_worst_and_best_clips_are_sorted_by_kl():
    targets = table([[1.0, 0, 0]] * 5, list("vwxyz"))
    probs = table([[p, 1 - p, 0] for p in (0.5, 0.25, 0.75, 0.125, 1.0)], list("vwxyz"))
    best, worst = best_and_worst(probs, targets)
    assert [clip.id for clip in best] == ["z", "x"] and [clip.id for clip in worst] == ["y", "w"]
    assert worst[0].score == pytest.approx(np.log(8)) and best[0].score == 0
    assert worst[0].words == [("b", 0.0, 0.875), ("a", 1.0, 0.125)]  # the predicted and the true word
    assert best[0].words == [("a", 1.0, 1.0)]


def test_without_targets_clips_are_sorted_by_entropy():
    probs = table([[0.5, 0.25, 0.25], [1, 0, 0], [1 / 3, 1 / 3, 1 / 3], [0.9, 0.1, 0]], list("wxyz"))
    best, worst = best_and_worst(probs, None)
    assert [clip.id for clip in best] == ["x", "z"] and [clip.id for clip in worst] == ["y", "w"]
    assert worst[0].score == pytest.approx(np.log(3))
    assert worst[1].words == [("a", None, 0.5), ("b", None, 0.25), ("c", None, 0.25)]
    assert [len(clips) for clips in best_and_worst(pd.concat([probs] * 10, ignore_index=True), None)] == [8, 8]
