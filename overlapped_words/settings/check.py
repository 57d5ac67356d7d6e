"""A composed configuration -> typed settings, or an error that names every setting that is wrong."""

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import ConfigDict, ValidationError

from overlapped_words.errors import SettingError
from overlapped_words.messages import renamed
from overlapped_words.settings import fields

T = TypeVar("T")
log = logging.getLogger(__name__)

STRICT = ConfigDict(strict=True, allow_inf_nan=False, use_attribute_docstrings=True, extra="forbid")
SHOWN = 80  # characters of a wrong value in a message


def check(schema: type[T], cfg: DictConfig) -> T:
    """The settings in `cfg` as an instance of the dataclass `schema`.

    Raises:
        SettingError: with one line for each setting that is missing or wrong.
    """
    try:
        missing = sorted(OmegaConf.missing_keys(cfg))
        values: Any = OmegaConf.to_container(cfg, resolve=True)
    except OmegaConfBaseException as error:  # an interpolation that cannot be resolved
        raise SettingError(f"{error.full_key}: {str(error).splitlines()[0]}") from error
    if missing:
        raise SettingError("\n".join(not_set(name, schema) for name in missing))
    return validate(lambda settings: schema(**settings), values)  # strict types accept no dict for a dataclass


def validate(function: Callable[[Any], T], values: Any, name: str = "") -> T:
    """The result of a function that checks plain values; `name` is that of the setting or the group."""
    try:
        return function(values)
    except ValidationError as error:
        # One for each setting: if it may have several types, Pydantic says for each why the value is not of it.
        faults = {tuple(setting_path(fault, values)): fault for fault in reversed(error.errors(include_url=False))}
        messages = [message(fault, values, name) for fault in reversed(faults.values())]
        raise SettingError("\n".join(messages)) from error


def message(fault: Mapping[str, Any], values: Any, name: str) -> str:
    """One fault that Pydantic found, with the full name and the value of the setting."""
    path = [*([name] if name else []), *map(str, setting_path(fault, values))]
    for part in setting_path(fault, values):
        values = values[part]
    setting, text = ".".join(path), fault["msg"]
    if error := renamed(setting):
        return error
    if fault["type"] == "value_error":  # of several settings together; the text begins with the name of one of them
        return ".".join([*path, str(fault["ctx"]["error"])])
    if fault["type"] == "missing":
        return not_set(".".join([*path, str(fault["loc"][-1])]))
    if fault["type"] == "unexpected_keyword_argument":
        return f"{setting} is {show(values)}; there is no such setting, leave it out"
    if predicate := re.fullmatch(r"Predicate '(\w+)' failed", text):
        text = getattr(fields, predicate[1]).__doc__
    return not_set(setting) if values in ("", "???") else f"{setting} is {show(values)}; {lower(text)}"


def setting_path(fault: Mapping[str, Any], values: Any) -> list[str | int]:
    """The names and positions that lead to the value, without the types that Pydantic tried."""
    path: list[str | int] = []
    for part in fault["loc"]:
        if (isinstance(values, dict) and part in values) or (isinstance(values, list) and isinstance(part, int)):
            path.append(part)
            values = values[part]
    return path


def lower(text: str) -> str:
    """Pydantic's message within a sentence."""
    return text.replace("Input should", "it should").replace("a valid boolean", "true or false").replace("'", "")


def not_set(name: str, schema: Any = None) -> str:
    """The error of a setting without a value, with the description that `schema` may have of it."""
    field = getattr(schema, "__pydantic_fields__", {}).get(name)
    about = f", {field.description[0].lower()}{field.description[1:].rstrip('.')}" if field else ""
    return f"{name} is not set; give {name}=...{about}"


def show(value: Any) -> str:
    """A value as it would be typed."""
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    try:
        shown = repr(value)
    except ValueError:  # Python prints no number of more than 4,300 digits
        return "a number of thousands of digits"
    return shown if len(shown) <= SHOWN else f"{shown[:SHOWN]}..."


def warn_unused(settings: Any, overrides: Sequence[str]) -> None:
    """Log the overrides of the command line that have no effect with these `settings`."""
    given = [override.lstrip("+~").partition("=")[0] for override in overrides]
    for unused, reason in settings.unused() if hasattr(settings, "unused") else ():
        for name in given:
            if f"{name}.".startswith(f"{unused}."):
                log.warning("%s has no effect: %s", name, reason)
