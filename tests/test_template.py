"""Escaping of names in Markdown and in TensorBoard."""

import html
from html.parser import HTMLParser

import pytest
from markdown_it import MarkdownIt
from tensorboard.plugin_util import markdown_to_safe_html

from overlapped_words.report.template import code, markdown
from overlapped_words.training.dashboard import verbatim

NAMES = ["a|b", "<b>", "&lt;", "*a*", "_a_", "snake_case", "[a](b)", "`a`", "``", "~~a~~", "a\\b", "\\|", "$x$", "하나"]


class Cells(HTMLParser):
    """The text of each cell of a rendered Markdown table, and all tags."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.cells, self.tags = [], set()
        self.feed(MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(text))

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        if tag in ("td", "th"):
            self.cells.append("")

    def handle_data(self, data):
        if self.cells and data.strip():
            self.cells[-1] += data


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_shown_unchanged_in_one_cell(name):
    for span in (markdown(name), *([code(name)] if "|" not in name else [])):
        table = Cells(f"| a | b |\n| --- | --- |\n| {span} | c |\n")
        assert table.cells == ["a", "b", name, "c"]
        assert table.tags - {"code"} == {"table", "thead", "tbody", "tr", "th", "td"}


def test_control_characters_are_escaped():
    assert markdown("a\n# b\x1b[31m") == r"a\\n# b\\x1b\[31m" and code("a\nb") == r"`a\nb`"


def test_tensorboard_shows_words_unchanged():
    shown = html.unescape(markdown_to_safe_html(verbatim("*a*, <b>, $x$\x1b[2J|`_c_`")))
    assert shown.startswith("<pre><code>") and r"*a*, <b>, $x$\x1b[2J|`_c_`" in shown
