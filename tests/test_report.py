"""report.html: its content, its escaping of names, and its plots in a browser."""

import html
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from markdown_it import MarkdownIt
from tensorboard.plugin_util import markdown_to_safe_html

from overlapped_words.ensembling.combined import combine_members
from overlapped_words.messages import printable
from overlapped_words.report import html_report, report_plots, summary
from overlapped_words.report.html_report import best_and_worst
from overlapped_words.report.template import code, markdown
from overlapped_words.runs.members import find_members
from overlapped_words.training.dashboard import verbatim
from tests.helpers.browsers import needs_chromium, rendered
from tests.helpers.fake_members import IDS, TEST_ANSWERS, write_csv, write_folds, write_member

HARMFUL = [
    "</script><img src=x onerror=alert(1)>",
    "<b>2021-01-01</b>",
    "&amp; %{x} {{ y }} $x^2$ \"a\" 'b' &quot;",
    "one\ntwo \x1b[31m|`*_",
]
ERRORS = {"recall", "word_kl", "pairs", "reliability"}


class Page(HTMLParser):
    """The text of a page, its ids, tags and event handlers, and the URLs that it would fetch."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text, self.ids, self.addresses, self.tags, self.handlers = "", set(), [], [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.tags.append(tag)
        self.ids |= {attributes["id"]} if "id" in attributes else set()
        self.handlers += [name for name in attributes if name.startswith("on")]
        self.addresses += [value for name, value in attrs if name in ("src", "href") and tag != "a"]

    def handle_data(self, data):
        if self.tags[-1:] not in (["script"], ["style"]):
            self.text += data


def build(sweep: Path) -> str:
    ensemble = combine_members(sweep, partial=True)
    return html_report.build(ensemble, summary.metrics_table(ensemble))


def write_epochs(member: Path) -> Path:
    (member / "metrics.csv").write_text("epoch,step,train/loss,val/kl,seconds\n0,4,2.5,2.2,9\n1,8,2.1,2.0,9\n")
    return member


def test_the_page_covers_the_test_clips_or_the_validation_clips_if_only_they_have_targets(tmp_path):
    for pool, seed in (("avg", 0), ("avg", 1), ("max", 0)):
        write_epochs(write_member(tmp_path, pool, seed))
    write_member(tmp_path, "max", 1, status="failed")
    html = build(tmp_path)
    shown = Page(html)
    assert shown.ids == {"loss", "val_kl", "diversity", "by_number", *ERRORS}
    assert all(address.startswith("data:") for address in shown.addresses)
    assert "cover the 2 validation clips, because the test clips have no\ntargets" in shown.text
    assert "ensemble (3)" in shown.text and "max_seed1: " in shown.text
    assert "does not record its training data" in shown.text and "audio" not in shown.tags
    assert len(html) < 2.3e6
    for member in tmp_path.iterdir():
        write_csv(member / "test_answers.csv", IDS, TEST_ANSWERS)
    assert "cover the 3 test clips." in Page(build(tmp_path)).text


def test_the_page_without_targets_of_one_member_and_of_a_cross_validation(tmp_path):
    for seed in (0, 1):
        write_epochs(write_member(tmp_path, "avg", seed, val=False))
    shown = Page(build(tmp_path))
    assert shown.ids == {"loss", "val_kl", "mean_probs"}
    assert "No targets are available" in shown.text and "Highest entropy" in shown.text and "entropy" in shown.text
    shown = Page(build(write_member(tmp_path / "one", "avg", 0).parent))
    assert shown.ids == ERRORS
    assert "There is only one member" in shown.text and "contain no metrics.csv" in shown.text
    write_folds(tmp_path / "folds")
    html = build(tmp_path / "folds")
    assert "cover the 4 validation clips" in Page(html).text and "member 2 of each fold" in html


@needs_chromium
def test_a_browser_draws_every_plot_and_names_are_escaped(tmp_path):
    sweep = tmp_path / HARMFUL[1].replace("/", "")
    for seed in (0, 1):
        member = write_epochs(write_member(sweep, "avg", seed))
        for table in (member / f"{name}.csv" for name in ("predictions", "val_predictions", "val_answers")):
            read = pd.read_csv(table, dtype={"file name": str})
            read["file name"] = [f"{name} {HARMFUL[i % 2]}" for i, name in enumerate(read["file name"])]
            if table.stem == "val_answers":
                read.iloc[-1, 1:] = [0, 0.25, 0.5, 0.25]  # every word occurs in a clip
            read.set_axis(["file name", *HARMFUL], axis=1).to_csv(table, index=False)
        metrics = json.loads((member / "metrics.json").read_text())
        (member / "metrics.json").write_text(json.dumps(metrics | {"pool": f"%{{y}} <b onclick=alert({seed})>"}))
        member.rename(sweep / f"<img src=x onerror=alert(2)>%{{y}}_seed{seed}")
    write_member(sweep, "avg", 2, status="failed", error=HARMFUL[0])
    file = tmp_path / "report.html"
    file.write_text(build(sweep), encoding="utf-8")
    dom, log = rendered(file.as_uri(), tmp_path / "profile")
    assert "CONSOLE" not in log, log
    dom = dom[: dom.index('<script type="module">')]
    drawn = re.findall(r'<div id="(\w+)"[^>]*>(?:(?!<figcaption).)*?<svg class="main-svg"', dom, re.S)
    assert set(drawn) == {"loss", "val_kl", "diversity", "by_number", *ERRORS}
    shown = Page(dom)
    assert "img" not in shown.tags and shown.handlers == []
    assert "<img src=x onerror=alert(2)>%{y}_seed1" in shown.text and HARMFUL[0] in shown.text
    words = Page(dom[dom.index('id="recall"') : dom.index('id="word_kl"')]).text
    assert all(printable(word) in words for word in HARMFUL), words
    legend = Page(dom[dom.index('id="loss"') : dom.index('id="val_kl"')]).text
    assert "%{y} <b onclick=alert(0)>" in legend


def test_each_member_has_a_curve_and_the_gap_is_the_mean_minus_the_ensemble(tmp_path):
    for pool, seed in (("avg", 0), ("avg", 1), ("max", 0)):
        write_member(tmp_path, pool, seed)
    epochs = pd.DataFrame({"epoch": [0, 1], "train/loss": [2.0, 1.0]})
    tables = [epochs, pd.DataFrame(), epochs]  # the second member has no metrics.csv
    figure = report_plots.epoch_curves(find_members(tmp_path), tables, "train/loss", "loss")
    assert [curve.name for curve in figure.data] == ["avg", "max"]
    assert all((list(curve.x), list(curve.y), curve.showlegend) == ([1, 2], [2, 1], True) for curve in figure.data)
    assert figure.data[0].line.color != figure.data[1].line.color and figure.layout.xaxis.dtick == 1
    figure = report_plots.diversity(["one", "two"], np.array([1.0, 2.0]), ensemble=1.25)
    assert list(figure.data[0].x) == [1, 2]
    texts = ["gap 0.2500", "ensemble<br>1.2500", "members' mean<br>1.5000"]
    assert [note.text for note in figure.layout.annotations] == texts


def table(values, ids) -> pd.DataFrame:
    return pd.DataFrame(values, index=ids, columns=["a", "b", "c"])


def test_worst_and_best_clips_are_sorted_by_kl_or_without_targets_by_entropy():
    targets = table([[1.0, 0, 0]] * 5, list("vwxyz"))
    probs = table([[p, 1 - p, 0] for p in (0.5, 0.25, 0.75, 0.125, 1.0)], list("vwxyz"))
    best, worst = best_and_worst(probs, targets)
    assert [clip.id for clip in best] == ["z", "x"] and [clip.id for clip in worst] == ["y", "w"]
    assert worst[0].score == pytest.approx(np.log(8)) and best[0].score == 0
    assert worst[0].words == [("b", 0.0, 0.875), ("a", 1.0, 0.125)]  # the predicted and the true word
    assert best[0].words == [("a", 1.0, 1.0)]
    probs = table([[0.5, 0.25, 0.25], [1, 0, 0], [1 / 3, 1 / 3, 1 / 3], [0.9, 0.1, 0]], list("wxyz"))
    best, worst = best_and_worst(probs, None)
    assert [clip.id for clip in best] == ["x", "z"] and [clip.id for clip in worst] == ["y", "w"]
    assert worst[0].score == pytest.approx(np.log(3))
    assert worst[1].words == [("a", None, 0.5), ("b", None, 0.25), ("c", None, 0.25)]
    assert [len(clips) for clips in best_and_worst(pd.concat([probs] * 10, ignore_index=True), None)] == [8, 8]


NAMES = ["a|b", "<b>", "&lt;", "*a*", "_a_", "snake_case", "[a](b)", "`a`", "``", "~~a~~", "a\\b", "\\|", "$x$", "하나"]


def test_a_name_is_shown_unchanged_in_one_cell_and_in_tensorboard():
    in_code = [name for name in NAMES if "|" not in name]
    spans = [*map(markdown, NAMES), *map(code, in_code)]
    table = f"|{'a|' * len(spans)}\n|{'---|' * len(spans)}\n| {' | '.join(spans)} |\n"
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(table)
    cells = [token.children for token in tokens if token.type == "inline"][len(spans) :]
    assert ["".join(part.content for part in cell) for cell in cells] == NAMES + in_code
    assert {part.type for cell in cells for part in cell} == {"text", "code_inline"}
    assert markdown("a\n# b\x1b[31m") == r"a\\n# b\\x1b\[31m" and code("a\nb") == r"`a\nb`"
    shown = html.unescape(markdown_to_safe_html(verbatim("*a*, <b>, $x$\x1b[2J|`_c_`")))
    assert shown.startswith("<pre><code>") and r"*a*, <b>, $x$\x1b[2J|`_c_`" in shown
