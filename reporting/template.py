"""The pages' templates, in `templates/`, and text that they show unchanged, whatever is in it.

HTML is escaped by itself, a cell or a word in Markdown by the filter `markdown`; a name that a template misses is an
error.
"""

import re
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from messages import count, printable

ENVIRONMENT = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates", encoding="utf-8"),
    autoescape=select_autoescape(["html"]),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def render(template: str, **values: Any) -> str:
    """The text of `templates/<template>` with these values."""
    return ENVIRONMENT.get_template(template).render(values)


def markdown(value: object) -> str:
    """Escape what Markdown would obey instead of show; within a word an underscore is one."""
    return re.sub(r"[\\`*<>|\[\]&$~]|(?<!\w)_|_(?!\w)", r"\\\g<0>", printable(str(value)))


def code(value: object) -> str:
    """A span of code in Markdown, which escapes nothing: it ends at as many backticks as it begins with."""
    text = printable(str(value))
    ticks = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{ticks} {text} {ticks}" if "`" in text else f"`{text}`"


ENVIRONMENT.filters |= {"markdown": markdown, "code": code, "printable": printable}
ENVIRONMENT.globals |= {"counted": count}
