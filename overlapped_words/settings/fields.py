"""Types of settings: annotations that Pydantic checks, also those of the constructors of networks and sources.

Made of `annotated_types` alone, so that a network can be loaded without Pydantic. The docstring of a predicate is the
remedy in the error.
"""

import os
import re
from typing import Annotated, Any

from annotated_types import Ge, Gt, Le, Lt, Predicate


def is_text(value: str) -> bool:
    """give text"""
    return value.strip() not in ("", "???") and "\0" not in value


def is_file(value: str) -> bool:
    """no such file"""
    return is_text(value) and os.path.isfile(value)


def is_folder(value: str) -> bool:
    """no such folder"""
    return is_text(value) and os.path.isdir(value)


def exists(value: str) -> bool:
    """no such file or folder"""
    return is_text(value) and os.path.exists(value)


def are_networks(value: str | list[str]) -> bool:
    """no such file; give a checkpoint, several, or pretrained"""
    files = [value] if isinstance(value, str) else value
    return bool(files) and all(file == "pretrained" or is_file(file) for file in files)


def is_regex(value: str) -> bool:
    """give a regular expression"""
    try:
        re.compile(value)
    except (re.error, RecursionError, OverflowError):
        return False
    return is_text(value)


def is_device(value: str) -> bool:
    """give auto, cpu, cuda, cuda:1 or mps"""
    return re.fullmatch(r"auto|(cpu|cuda|mps|xpu)(:\d{1,3})?", value) is not None


def is_pair(value: list[float]) -> bool:
    """give two numbers, [least, most]"""
    return len(value) == 2 and value[0] <= value[1]


Count = Annotated[int, Ge(1)]
Index = Annotated[int, Ge(0)]
Seed = Annotated[int, Ge(0), Lt(2**32)]
Positive = Annotated[float, Gt(0)]  # for a learning rate, see docs/extend.md
NotNegative = Annotated[float, Ge(0)]
Share = Annotated[float, Ge(0), Lt(1)]
Fraction = Annotated[float, Ge(0), Le(1)]
Pair = Annotated[list[float], Predicate(is_pair)]
Text = Annotated[str, Predicate(is_text)]
ExistingFile = Annotated[str, Predicate(is_file)]
ExistingFolder = Annotated[str, Predicate(is_folder)]
ExistingPath = Annotated[str, Predicate(exists)]
Networks = Annotated[str | list[str], Predicate(are_networks)]
Regex = Annotated[str, Predicate(is_regex)]
Device = Annotated[str, Predicate(is_device)]
Hop = Annotated[float, Ge(0.01), Le(1)]  # seconds from one window to the next
Group = dict[str, Any]  # settings of a component, checked when it is built
