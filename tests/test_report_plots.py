"""What the plots of report.html contain. test_html_report.py draws them in a browser."""

import numpy as np
import pandas as pd

from overlapped_words.report import report_plots
from overlapped_words.runs.members import find_members
from tests.helpers.fake_members import write_member


def test_each_member_has_a_curve_and_each_pool_a_color(tmp_path):
    for pool, seed in (("avg", 0), ("avg", 1), ("max", 0)):
        write_member(tmp_path, pool, seed)
    epochs = pd.DataFrame({"epoch": [0, 1], "train/loss": [2.0, 1.0]})
    tables = [epochs, pd.DataFrame(), epochs]  # the second member has no metrics.csv
    figure = report_plots.epoch_curves(find_members(tmp_path), tables, "train/loss", "loss")
    assert [(curve.name, list(curve.x), list(curve.y), curve.showlegend) for curve in figure.data] == [
        ("avg", [1, 2], [2, 1], True),
        ("max", [1, 2], [2, 1], True),
    ]
    assert figure.data[0].line.color != figure.data[1].line.color and figure.layout.xaxis.dtick == 1


def test_the_gap_is_the_mean_minus_the_ensemble():
    figure = report_plots.diversity(["one", "two"], np.array([1.0, 2.0]), ensemble=1.25)
    assert list(figure.data[0].x) == [1, 2]
    texts = ["gap 0.2500", "ensemble<br>1.2500", "members' mean<br>1.5000"]
    assert [note.text for note in figure.layout.annotations] == texts
