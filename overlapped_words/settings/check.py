"""A composed configuration -> typed settings, or an error that names every setting that is wrong."""

import os
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import ConfigDict, ValidationError

from overlapped_words.errors import SettingError
from overlapped_words.settings import fields

T = TypeVar("T")

STRICT = ConfigDict(strict=True, allow_inf_nan=False, use_attribute_docstrings=True, extra="forbid")
SHOWN = 80  # characters of a wrong value in a message


def check(schema: type[T], cfg: DictConfig) -> T:
    """The settings in `cfg` as a `schema`; a SettingError has one line for each that is missing or wrong."""
    try:
        missing = sorted(OmegaConf.missing_keys(cfg))
        settings: Any = OmegaConf.to_container(cfg, resolve=True)
    except OmegaConfBaseException as error:  # an interpolation that cannot be resolved
        raise SettingError(f"{error.full_key}: {str(error).splitlines()[0]}") from error
    if missing:
        raise SettingError("\n".join(not_set(name, schema) for name in missing))
    # Shells expand ~ only in some places; components expand it in their own settings.
    values = {name: os.path.expanduser(value) if isinstance(value, str) else value for name, value in settings.items()}
    return validate(lambda settings: schema(**settings), values)  # strict types accept no dict for a dataclass


def validate(function: Callable[[Any], T], values: Any, name: str = "") -> T:
    """The result of a function that checks plain values; `name` is that of the setting or the group."""
    try:
        return function(values)
    except ValidationError as error:
        # One for each setting: if it may have several types, Pydantic says for each why the value is not of it.
        faults = {full_name(name, fault["loc"], values): fault for fault in reversed(error.errors(include_url=False))}
        raise SettingError("\n".join(message(*fault) for fault in reversed(faults.items()))) from error


def full_name(name: str, location: Sequence[str | int], values: Any) -> str:
    """The name of a setting in the group `name`, from Pydantic's location without the types that it tried."""
    parts = [name] if name else []
    for part in location:
        if part in values if isinstance(values, dict) else isinstance(values, list) and isinstance(part, int):
            parts.append(str(part))
            values = values[part]
    return ".".join(parts)


def message(setting: str, fault: Mapping[str, Any]) -> str:
    """One fault that Pydantic found, with the full name and the value of the setting."""
    text = fault["msg"].replace("Input should", "it should").replace("a valid boolean", "true or false")
    if fault["type"] == "value_error":  # of several settings together; the text begins with the name of one of them
        return str(fault["ctx"]["error"])
    if fault["type"] == "missing":
        return not_set(str(fault["loc"][-1]))
    if fault["input"] == "":
        return not_set(setting)
    if fault["type"] == "unexpected_keyword_argument":
        text = "there is no such setting, leave it out"
    if predicate := re.fullmatch(r"Predicate '(\w+)' failed", text):
        text = str(getattr(fields, predicate[1]).__doc__)
    return f"{setting} is {show(fault['input'])}; {text}"


def not_set(name: str, schema: Any = None) -> str:
    """The error of a setting without a value, with the description that `schema` may have of it."""
    field = getattr(schema, "__pydantic_fields__", {}).get(name)
    about = f", {field.description[0].lower()}{field.description[1:].rstrip('.')}" if field else ""
    return f"{name} is not set; give {name}=...{about}"


def show(value: Any) -> str:
    """A value as it would be typed, its first characters."""
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    try:
        return repr(value)[:SHOWN]
    except ValueError:  # Python prints no number of more than 4,300 digits
        return "a number of thousands of digits"
