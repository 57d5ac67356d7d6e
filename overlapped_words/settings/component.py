"""Components: the class that `_target_` names, called with the other settings of its group.

The annotations of the constructor are the schema. A class of a library is checked by its own annotations where Pydantic
understands them, and otherwise by itself.
"""

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pkgutil import resolve_name
from typing import Any, get_type_hints

from hydra.errors import InstantiationException
from hydra.utils import instantiate
from pydantic import ConfigDict, TypeAdapter

from overlapped_words.errors import SettingError, UserError
from overlapped_words.messages import suggest
from overlapped_words.settings.check import show, validate

TYPES = ConfigDict(strict=True, allow_inf_nan=False, arbitrary_types_allowed=True)


def build(name: str, settings: Mapping[str, Any], **given: Any) -> Any:
    """The object that the settings of a group describe, with all objects in it.

    Args:
        name: of the group, for errors.
        settings: `_target_` and arguments.
        given: other arguments. Those are passed on that the constructor takes and the settings do not have.

    Raises:
        SettingError: no such class, or an argument is wrong, missing or unknown.
    """
    target = check_component(name, settings, given)
    with naming(name):
        return instantiate({**settings, "_partial_": True}, _convert_="all")(**_accepted(target, settings, given))


def check_component(name: str, settings: Mapping[str, Any], given: Mapping[str, Any] | None = None) -> Callable:
    """Check the settings of a group without building anything. Return the class; raises what `build` raises."""
    path = settings.get("_target_")
    if not isinstance(path, str):
        raise SettingError(f"{name}._target_ is {show(path)}; give package.module.Class")
    try:
        target = resolve_name(path)
    except Exception as error:  # whatever the module raises
        raise SettingError(f"{name}._target_ is {show(path)}; {' '.join(str(error).split())}") from error
    arguments = {key: value for key, value in settings.items() if not key.startswith("_")}
    check_arguments(name, target, arguments, given or {})
    return target


def check_arguments(name: str, target: Callable, settings: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    """Check settings as arguments of a class or function; `given` are its other arguments."""
    parameters, hints = _parameters(target), _hints(target)
    faults = []
    title = getattr(target, "__name__", str(target))
    if parameters is not None and (unknown := settings.keys() - parameters):
        paths = [f"{name}.{key}" for key in sorted(unknown)]
        known = sorted(parameters - given.keys() - {"self"})
        faults += [f"{path}: {title} has no such setting; {suggest(path, known)}" for path in paths]
    else:
        try:
            inspect.signature(target).bind(**settings, **_accepted(target, settings, given))
        except TypeError as error:
            faults.append(f"{name}: {title}: {error}")
    for key, value in settings.items():
        try:
            if not _check_nested(f"{name}.{key}", value) and key in hints:
                _check_value(f"{name}.{key}", value, hints[key])
        except SettingError as error:
            faults.append(str(error))
    if faults:
        raise SettingError("\n".join(faults))


def _accepted(target: Callable, settings: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments in `given` that a class or function takes, without those in `settings`."""
    parameters = _parameters(target)
    names = given.keys() - settings.keys()
    return {key: given[key] for key in names if parameters is None or key in parameters}


@contextmanager
def naming(name: str) -> Iterator[None]:
    """Report what a constructor raises as an error in the settings `name`, from which it got its arguments."""
    try:
        yield
    except Exception as error:
        cause = error.__cause__ if isinstance(error, InstantiationException) and error.__cause__ else error
        if isinstance(cause, UserError):
            raise cause from None
        raise SettingError(f"{name}: {type(cause).__name__}: {' '.join(str(cause).split())}") from error


def _check_nested(name: str, value: Any) -> bool:
    """Check components within a value; False if it has none."""
    items = {f"{name}.{i}": item for i, item in enumerate(value)} if isinstance(value, list) else {name: value}
    nested = {key: item for key, item in items.items() if isinstance(item, dict) and "_target_" in item}
    for key, item in nested.items():
        check_component(key, item)
    return bool(nested)


def _check_value(name: str, value: Any, hint: Any) -> None:
    try:
        adapter: TypeAdapter = TypeAdapter(hint, config=TYPES)
    except Exception:  # a library's type that Pydantic does not understand
        return
    validate(adapter.validate_python, value, name)


def _parameters(target: Callable) -> set[str] | None:
    """The names of the arguments; None if it takes any."""
    parameters = inspect.signature(target).parameters.values()
    if any(parameter.kind == parameter.VAR_KEYWORD for parameter in parameters):
        return None
    return {parameter.name for parameter in parameters}


def _hints(target: Callable) -> dict[str, Any]:
    """The annotations of the arguments, those of base classes included, to which `**options` may go."""
    hints: dict[str, Any] = {}
    classes = reversed(target.__mro__) if isinstance(target, type) else ()
    for function in [vars(cls).get("__init__") for cls in classes] or [target]:
        try:
            hints |= get_type_hints(function, include_extras=True)
        except Exception:  # names that only type checkers import
            continue
    return hints
