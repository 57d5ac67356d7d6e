"""Whether a `_target_` names something, found out without importing it: most of them import torch."""

import re
import sys
from collections.abc import Iterable
from functools import cache
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import find_spec
from pathlib import Path


@cache
def find_target(target: str) -> bool:
    """Whether the dotted name `package.module.Class` leads to a module that has this name in it."""
    parts = target.split(".")
    if not all(part.isidentifier() for part in parts):
        return False
    spec: ModuleSpec | None = None
    for depth in range(1, len(parts)):
        name = ".".join(parts[:depth])
        found = _find_module(name, _locations(spec) if spec else None)
        if found is None:
            return spec is not None and _holds(spec, parts[depth - 1])
        spec = found
    return spec is not None and _holds(spec, parts[-1])


def _find_module(name: str, locations: Iterable[str] | None) -> ModuleSpec | None:
    if name in sys.modules:
        return sys.modules[name].__spec__
    return find_spec(name) if locations is None else PathFinder.find_spec(name, list(locations))


def _locations(spec: ModuleSpec) -> Iterable[str]:
    module = sys.modules.get(spec.name)
    return getattr(module, "__path__", spec.submodule_search_locations or ())


def _holds(spec: ModuleSpec, name: str) -> bool:
    """Whether a module has an attribute; of one that is not imported, whether its source mentions it."""
    if spec.name in sys.modules and hasattr(sys.modules[spec.name], name):
        return True
    if not spec.origin or not spec.origin.endswith(".py"):
        return spec.name not in sys.modules
    source = Path(spec.origin).read_text(encoding="utf-8", errors="replace")
    return re.search(rf"\b{name}\b|\b__getattr__\b|import \*", source) is not None
