"""What the plots of report.html contain. test_html_report.py draws them in a browser."""

import numpy as np
import pandas as pd
import pytest

from overlapped_words.report import report_plots
from overlapped_words.runs.members import find_members
from tests.helpers.fake_members import write_member


def test_each_member_has_a_curve_and_each_pool_a_color(tmp_path):
    for pool, seed in (("avg", 0), ("avg", 1), ("max", 0)):
        write_member(tmp_path, pool, seed)
    epochs = pd.DataFrame({"epoch": [0, 1], "train/loss": [2.0, 1.0]})
    tables = [epochs, pd.DataFrame(), epochs]  # the second member has no metrics.csv
    curves = report_plots.epoch_curves(find_members(tmp_path), tables, "train/loss", "loss").data
    assert [(curve.name, list(curve.x), list(curve.y), curve.showlegend) for curve in curves] == [
        ("avg", [1, 2], [2, 1], True),
        ("max", [1, 2], [2, 1], True),
    ]
    assert curves[0].line.color != curves[1].line.color


def test_the_gap_is_the_mean_minus_the_ensemble():
    figure = report_plots.diversity(["one", "two"], np.array([1.0, 2.0]), ensemble=1.25)
    assert list(figure.data[0].x) == [1, 2]
    texts = ["ensemble<br>1.2500", "members' mean<br>1.5000", "gap 0.2500"]
    assert [note.text for note in figure.layout.annotations] == texts


@pytest.mark.parametrize(("members", "step"), [(1, 1), (2, 1), (10, 1), (11, 2), (21, 5), (200, 20)])
def test_the_curve_of_means_has_integer_ticks(members, step):
    figure = report_plots.kl_by_number(np.array([[1.0] * members, [3.0] * members]))
    assert (figure.layout.xaxis.tick0, figure.layout.xaxis.dtick) == (0, step)
    (curve,) = figure.data
    assert set(curve.y) == {2} and set(curve.error_y.array) == {1} and curve.hovertext[0] == "1 member"


def test_names_of_bars_are_escaped():
    figure = report_plots.bars(["<b>", "2021"], pd.Series([1, 2]), "count", "%{x}")
    assert list(figure.layout.yaxis.ticktext) == ["&lt;b&gt;", "2021"]
    assert list(figure.data[0].y) == [0, 1] and figure.layout.yaxis.range[0] > figure.layout.yaxis.range[1]
