"""Escaping of names in Markdown and in TensorBoard."""

import html

from markdown_it import MarkdownIt
from tensorboard.plugin_util import markdown_to_safe_html

from overlapped_words.report.template import code, markdown
from overlapped_words.training.dashboard import verbatim

NAMES = ["a|b", "<b>", "&lt;", "*a*", "_a_", "snake_case", "[a](b)", "`a`", "``", "~~a~~", "a\\b", "\\|", "$x$", "하나"]


def test_a_name_is_shown_unchanged_in_one_cell():
    in_code = [name for name in NAMES if "|" not in name]
    spans = [*map(markdown, NAMES), *map(code, in_code)]
    table = f"|{'a|' * len(spans)}\n|{'---|' * len(spans)}\n| {' | '.join(spans)} |\n"
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(table)
    cells = [token.children for token in tokens if token.type == "inline"][len(spans) :]
    assert ["".join(part.content for part in cell) for cell in cells] == NAMES + in_code
    assert {part.type for cell in cells for part in cell} == {"text", "code_inline"}


def test_control_characters_are_escaped():
    assert markdown("a\n# b\x1b[31m") == r"a\\n# b\\x1b\[31m" and code("a\nb") == r"`a\nb`"


def test_tensorboard_shows_words_unchanged():
    shown = html.unescape(markdown_to_safe_html(verbatim("*a*, <b>, $x$\x1b[2J|`_c_`")))
    assert shown.startswith("<pre><code>") and r"*a*, <b>, $x$\x1b[2J|`_c_`" in shown
