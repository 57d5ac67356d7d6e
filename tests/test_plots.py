"""Plots of timelines, features and predictions."""

import warnings
from io import BytesIO

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from overlapped_words import plots
from overlapped_words.plots import as_png, draw_predictions, draw_timeline


def make_timeline(probs: np.ndarray, hop: float = 0.25) -> pd.DataFrame:
    starts = hop * np.arange(len(probs))
    index = pd.MultiIndex.from_arrays([starts, starts + 1], names=["start_s", "end_s"])
    return pd.DataFrame(probs, index, [f"word {i}" for i in range(probs.shape[1])])


def test_the_most_probable_words_are_in_the_order_of_their_peaks():
    probs = np.full((40, 20), 0.01)
    probs[30, 3] = probs[10, 7] = probs[20, 15] = 0.5
    figure = draw_timeline(make_timeline(probs), num_words=3)
    axis = figure.axes[0]
    assert [label.get_text() for label in axis.get_yticklabels()] == ["word 7", "word 15", "word 3"]
    (mesh,) = axis.collections
    cells = mesh.get_array().reshape(3, 40)
    assert cells[0, 10] == cells[1, 20] == cells[2, 30] == 0.5 and (cells == 0.5).sum() == 3
    assert axis.get_xlim() == (0, pytest.approx(10.75))
    assert axis.get_title() == "17 less probable words not shown" and not axis.patches
    low, high = Image.open(BytesIO(as_png(figure))).convert("L").getextrema()
    assert high - low > 200


def test_all_words_with_events_are_drawn_and_marked():
    probs = np.full((40, 20), 0.3)
    probs[:, 12:] = 0.01
    timeline = make_timeline(probs)
    events = pd.DataFrame({"start_s": [1.5, 4, 7], "end_s": [2, 5, 8], "word": ["word 15", "word 18", "word 15"]})
    axis = draw_timeline(timeline, events, num_words=1).axes[0]
    assert sorted(label.get_text() for label in axis.get_yticklabels()) == ["word 15", "word 18"]
    assert axis.get_title() == "18 less probable words not shown"
    assert [(bar.get_x(), bar.get_width()) for bar in axis.patches] == [(1.5, 0.5), (4, 1), (7, 1)]
    rows = [axis.get_yticklabels()[round(bar.get_y() + bar.get_height() / 2)].get_text() for bar in axis.patches]
    assert rows == ["word 15", "word 18", "word 15"]
    shown = draw_timeline(timeline, events, num_words=4).axes[0].get_yticklabels()
    assert len(shown) == 4 and {"word 15", "word 18"} < {label.get_text() for label in shown}


@pytest.mark.parametrize("word", ["$x^2$", "$unclosed"])
def test_words_are_not_read_as_formulas(word):
    words = [word, "one\ntwo\x07"]
    timeline = make_timeline(np.array([[0.2, 0.8]])).set_axis(words, axis=1)
    for figure in (draw_timeline(timeline), draw_predictions(torch.rand(2, 2), torch.rand(2, 2), words)):
        as_png(figure)
        labels = figure.axes[0].get_yticklabels()
        assert {label.get_text() for label in labels} == {word, r"one\ntwo\x07"}
        assert not any(label.get_parse_math() for label in labels)


@pytest.mark.parametrize("installed", [True, False])
def test_labels_use_installed_fonts_and_warn_once_without_one(monkeypatch, caplog, installed):
    word = "\u2900"  # not in Matplotlib's own font, but in one that comes with it
    plots.font_families.cache_clear()
    plots._warn_once.cache_clear()
    if not installed:
        monkeypatch.setattr(plots.fontManager, "ttflist", [])
    with warnings.catch_warnings(record=True) as caught:
        for words in ([word], [word, "a"]):
            figure = draw_predictions(torch.rand(1, len(words)), torch.rand(1, len(words)), words)
            as_png(figure)
    families = figure.axes[0].get_yticklabels()[0].get_fontfamily()
    assert (len(families) > 1) == installed
    assert len([record for record in caplog.records if "no font" in record.message]) == (not installed)
    assert not installed or not [warning for warning in caught if "missing from" in str(warning.message)]
