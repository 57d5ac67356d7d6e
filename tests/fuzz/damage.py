"""What happens to files: bytes change, get lost and come in between; values become others."""

import json
from typing import Any

from hypothesis import strategies as st

NUMBERS = st.sampled_from([0, -1, 1e308, -0.0, float("inf"), float("nan"), 2**31, 2**63, 2**64, 10**400, 0.1, True])
NAMES = st.sampled_from(["", "$x^2$", "<b>", "a|b", "\x1b[2J", "하나", "../..", "${oc.env:HOME}", "\ud800", "a" * 300])
SCALARS = st.none() | st.booleans() | NUMBERS | NAMES | st.text(max_size=8)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4) | NAMES, inner, max_size=3)
)


@st.composite
def damaged(draw: st.DrawFn, content: bytes) -> bytes:
    """The bytes of a file with up to four edits, perhaps cut short; or others altogether."""
    if draw(st.integers(0, 9)) == 0:
        return draw(st.binary(max_size=200))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(content)))
        inserted, lost = draw(st.binary(max_size=8)), draw(st.sampled_from([0, 1, 4, 8, 100]))
        content = content[:at] + inserted + content[at + lost :]
    return content[: draw(st.integers(0, len(content)))] if draw(st.booleans()) else content


@st.composite
def changed(draw: st.DrawFn, content: Any) -> Any:
    """Plain values of which up to two, at any depth, are others, missing or called by another name."""
    content = json.loads(json.dumps(content))
    for _ in range(draw(st.integers(1, 2))):
        content = _change(draw, content)
    return content


def _change(draw: st.DrawFn, value: Any) -> Any:
    if not isinstance(value, dict | list) or not value or draw(st.integers(0, 5)) == 0:
        return draw(VALUES)
    keys = list(value) if isinstance(value, dict) else range(len(value))
    key = draw(st.sampled_from(keys))
    what = draw(st.sampled_from(["change", "change", "change", "drop", "rename"]))
    if what == "change":
        value[key] = _change(draw, value[key])
    elif what == "drop" or isinstance(value, list):
        del value[key]
    else:
        value[draw(NAMES)] = value.pop(key)
    return value
