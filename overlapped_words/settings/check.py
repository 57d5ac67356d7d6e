"""A composed configuration -> typed settings, or an error that names every setting that is wrong."""

import dataclasses
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import TypeAdapter, ValidationError

from overlapped_words.errors import SettingError, UserError
from overlapped_words.messages import RENAMED_CLASSES, renamed

T = TypeVar("T")

SHOWN = 80  # characters of a wrong value in a message


def check(schema: type[T], cfg: DictConfig) -> T:
    """The settings in `cfg` as an instance of the dataclass `schema`.

    Raises:
        SettingError: with one line for each setting that is missing or wrong.
    """
    with _resolving():
        missing = sorted(OmegaConf.missing_keys(cfg))
    if missing:
        raise SettingError("\n".join(not_set(name, schema) for name in missing))
    return validate(schema, resolve(cfg))


def resolve(cfg: DictConfig) -> Any:
    """The plain values of a configuration; SettingError if an interpolation has none."""
    with _resolving():
        return OmegaConf.to_container(cfg, resolve=True)


def validate(schema: type[T], values: Any, prefix: str = "") -> T:
    """As `check`, of plain values; `prefix` is put before the names in errors."""
    try:
        return TypeAdapter(schema).validate_python(values)
    except ValidationError as error:
        lines = [message(fault, values, prefix) for fault in error.errors(include_url=False)]
        raise SettingError("\n".join(dict.fromkeys(lines))) from error


def as_dict(settings: Any) -> dict[str, Any]:
    """Typed settings, extras included -> the plain values they were made of; what was left out stays out."""
    optional = {field.name for field in dataclasses.fields(settings) if field.default is None}
    values = {name: value for name, value in vars(settings).items() if value is not None or name not in optional}
    return {name: _plain(value) for name, value in values.items()}


@contextmanager
def blame(group: str) -> Iterator[None]:
    """Report what a constructor raises as a mistake in the settings of `group`: it was called with these alone."""
    try:
        yield
    except Exception as error:
        cause = error.__cause__ or error  # Hydra wraps what a constructor raised
        if isinstance(cause, UserError):
            raise cause from None
        raise SettingError(f"{group}: {type(cause).__name__}: {cause}") from error


@contextmanager
def _resolving() -> Iterator[None]:
    """Report an interpolation that cannot be resolved by the name of its setting."""
    try:
        yield
    except OmegaConfBaseException as error:
        raise SettingError(f"{error.full_key}: {str(error).splitlines()[0]}") from error


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return as_dict(value)
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value


def not_set(name: str, schema: Any = None) -> str:
    """The error of a setting without a value, with the description that `schema` may have of it."""
    field = getattr(schema, "__pydantic_fields__", {}).get(name)
    about = f", {field.description[0].lower()}{field.description[1:].rstrip('.')}" if field else ""
    return f"{name} is not set; give {name}=...{about}"


def message(fault: Mapping[str, Any], values: Any, prefix: str) -> str:
    """One fault that Pydantic found, in our words."""
    path: list[str] = []
    for part in fault["loc"]:  # names and places, and between them the options that Pydantic chose
        inside = (isinstance(values, dict) and part in values) or (isinstance(values, list) and isinstance(part, int))
        if inside:
            path.append(str(part))
            values = values[part]
    if error := renamed(prefix + ".".join(path)):
        return error
    if isinstance(values, str) and values in RENAMED_CLASSES:
        return f"{prefix}{'.'.join(path)} is {show(values)}, which was renamed; use {RENAMED_CLASSES[values]}"
    match fault["type"]:
        case "value_error":  # of several settings together; the text begins with the name of one of them
            return prefix + ".".join([*path, str(fault["ctx"]["error"])])
        case "missing":
            return not_set(prefix + ".".join([*path, str(fault["loc"][-1])]))
        case "setting":
            remedy = fault["ctx"]["remedy"]
        case "literal_error":
            remedy = f"choose {fault['ctx']['expected'].replace(chr(39), '')}"
        case "unexpected_keyword_argument":
            remedy = "there is no such setting, leave it out"
        case "list_type":
            remedy = "give a list, [..., ...]"
        case _:
            remedy = "give settings, {name: value, ...}"
    name = prefix + ".".join(path)
    return not_set(name) if values in ("", "???") else f"{name} is {show(values)}; {remedy}"


def show(value: Any) -> str:
    """A value as it would be typed."""
    if isinstance(value, bool | None):
        shown = "null" if value is None else str(value).lower()
    else:
        try:
            shown = repr(value)
        except ValueError:  # Python prints no number of more than 4,300 digits
            shown = "a number of thousands of digits"
    return shown if len(shown) <= SHOWN else f"{shown[:SHOWN]}..."
