"""Check plain values, as in JSON and YAML, against type annotations."""

import json
import math
import re
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints, is_typeddict

MAX_DEPTH = 20  # levels of nesting; train.py writes six

NOUNS = {
    NoneType: "null",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    list: "a list",
    dict: "a mapping",
}


def misfit(value: Any, kind: Any, name: str = "", depth: int = 0) -> str:
    """Which part of a value does not have the type annotation `kind`, as a message; empty if the value fits.

    Any means any plain value: null, true and false, integers of 64 bits, finite numbers, text that UTF-8 can encode,
    lists of these and mappings from text to these.
    """
    where = name[:60] or "the content"
    kinds = get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)
    fitting = [one for one in kinds if _is(value, one)]
    if not fitting:
        wanted = " or ".join("a plain value" if one is Any else NOUNS[_outer(one)] for one in kinds)
        return f"{where} is {_show(value)}, not {wanted}"
    if depth > MAX_DEPTH:
        return f"{where} is nested too deeply"
    (kind, *_), inner = fitting, get_args(fitting[0])[-1:] or (Any,)
    items: list[tuple[str, Any, Any]] = []
    if isinstance(value, dict):
        kinds_of = get_type_hints(kind) if is_typeddict(kind) else {}
        required: frozenset[str] = getattr(kind, "__required_keys__", frozenset())
        if missing := required - value.keys():
            return f"{min(missing)} is missing" + (f" in {name}" if name else "")
        if wrong := [key for key in value if not _is(key, str)]:
            return f"{where} has the key {_show(wrong[0])}, which is not text"
        items = [(f"{name}.{key}".strip("."), item, kinds_of.get(key, inner[0])) for key, item in value.items()]
    if isinstance(value, list):
        items = [(f"{where}[{i}]", item, inner[0]) for i, item in enumerate(value)]
    return next(filter(None, (misfit(item, of, called, depth + 1) for called, item, of in items)), "")


def _outer(kind: Any) -> type:
    return dict if is_typeddict(kind) else get_origin(kind) or kind


def _is(value: Any, kind: Any) -> bool:
    """Whether a value is plain and, its items aside, of a type."""
    outer = _outer(kind)
    if isinstance(value, bool) or value is None:  # a bool is an int to isinstance
        return outer in (Any, type(value))
    if isinstance(value, int):
        return outer in (Any, int, float) and -(2**63) <= value < 2**63
    if isinstance(value, float):
        return outer in (Any, float) and math.isfinite(value)
    if isinstance(value, str):
        return outer in (Any, str) and not re.search("[\ud800-\udfff]", value)
    return isinstance(value, dict | list) and outer in (Any, type(value))


def _show(value: Any) -> str:
    if isinstance(value, dict | list):
        return NOUNS[type(value)]
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, int) and abs(value) >= 2**63:  # repr rejects the longest ones
        return "an integer of more than 64 bits"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}..."
