"""Render the templates in `templates/`, and escape text for them.

HTML is escaped automatically, Markdown by the filter `markdown`. A variable that a template needs but does not get is
an error.
"""

import re
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from overlapped_words.messages import count, printable

ENVIRONMENT = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates", encoding="utf-8"),
    autoescape=select_autoescape(["html"]),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def render(template: str, **values: Any) -> str:
    """Render `templates/<template>` with `values`."""
    return ENVIRONMENT.get_template(template).render(values)


def markdown(value: object) -> str:
    """Escape characters with a meaning in Markdown; an underscore inside a word has none."""
    return re.sub(r"[\\`*<>|\[\]&$~]|(?<!\w)_|_(?!\w)", r"\\\g<0>", printable(str(value)))


def code(value: object) -> str:
    """Format a code span in Markdown, delimited by more backticks than the text contains in a row."""
    text = printable(str(value))
    ticks = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{ticks} {text} {ticks}" if "`" in text else f"`{text}`"


ENVIRONMENT.filters |= {"markdown": markdown, "code": code, "printable": printable}
ENVIRONMENT.globals |= {"counted": count}
