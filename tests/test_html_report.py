"""report.html: its content, its escaping of names, and its plots in a browser."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd

from overlapped_words.ensembling.combined import combine_members
from overlapped_words.messages import printable
from overlapped_words.report import html_report, summary
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


def write_epochs(member: Path) -> None:
    (member / "metrics.csv").write_text("epoch,step,train/loss,val/kl,seconds\n0,4,2.5,2.2,9\n1,8,2.1,2.0,9\n")


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


def test_the_page_without_targets(tmp_path):
    for seed in (0, 1):
        write_epochs(write_member(tmp_path, "avg", seed, val=False))
    shown = Page(build(tmp_path))
    assert shown.ids == {"loss", "val_kl", "mean_probs"}
    assert "No targets are available" in shown.text and "Highest entropy" in shown.text and "entropy" in shown.text


def test_the_page_of_one_member_and_of_a_cross_validation(tmp_path):
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
        member = write_member(sweep, "avg", seed)
        write_epochs(member)
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
