"""Errors as one line: those of users, and those of Hydra in its own words."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import yaml
from hydra.errors import HydraException, InstantiationException, OverrideParseException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from overlapped_words.errors import user_message
from overlapped_words.messages import printable, suggest
from overlapped_words.paths import CONF


@contextmanager
def exit_on_error(any_error: Callable[[], bool] = lambda: False) -> Iterator[None]:
    """End the program with the message of an error that is not a bug.

    Args:
        any_error: whether any exception counts as the user's error, as it does while Hydra reads the command line.
    """
    try:
        yield
    except BrokenPipeError:
        exit_on_closed_pipe()
    except Exception as error:
        message = as_message(error)
        if message is None and any_error():
            message = f"{' '.join(sys.argv[1:])}: {str(error) or type(error).__name__}"
        if message is None:
            raise
        sys.exit("\n".join(map(printable, message.expandtabs(4).splitlines())))  # names may contain control characters


def exit_on_closed_pipe() -> NoReturn:
    """End the program because nobody reads its output."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # otherwise the flush at exit fails, too
    sys.exit(1)


def as_message(error: BaseException) -> str | None:
    """The message for the user; None for a bug of this program."""
    if isinstance(error, InstantiationException) and error.__cause__:  # Hydra wraps the error of a constructor
        return as_message(error.__cause__)
    if isinstance(error, HydraException | OmegaConfBaseException):
        return hydra_message(error)
    return user_message(error)


def hydra_message(error: HydraException | OmegaConfBaseException) -> str:
    """Hydra's message as one line, without its search path and the types of its own configuration."""
    if isinstance(error, OverrideParseException):
        reason = str(error).removeprefix(f"Error parsing override '{error.override}'\n").partition("\n")[0]
        return f"{error.override}: not a setting ({reason}); give name=value, special characters as \"name='value'\""
    cause: Any = error.__cause__ or error
    if isinstance(group := getattr(cause, "parent_node", None), DictConfig) and "is not in struct" in str(cause):
        return unknown_setting(cause.full_key, group)
    parts = [str(part).partition("Config search path:")[0] for part in (error, error.__cause__ or "")]
    lines = [line.strip().rstrip(".:") for part in parts for line in part.splitlines()]
    dropped = ("full_key:", "reference_type=", "object_type=", "See https:")
    return ". ".join(dict.fromkeys(line for line in lines if line and not line.startswith(dropped)))


def unknown_setting(setting: str, group: DictConfig) -> str:
    """The error of a setting that its group does not have, with the options that have it or the name that was meant."""
    path, _, name = setting.rpartition(".")
    files = sorted((CONF / path).glob("*.yaml")) if path else []
    if options := [f"{path}={file.stem}" for file in files if _has_setting(file, name)]:
        return f"{setting}: there is no such setting here, only with {' or '.join(options)}"
    return f"{setting}: there is no such setting; {suggest(setting, [str(key) for key in group if key != 'hydra'])}"


def _has_setting(file: Path, name: str) -> bool:
    """Whether the file of an option, or one that it includes, has a setting."""
    settings = yaml.safe_load(file.read_text(encoding="utf-8"))
    included = [str(each).removesuffix("@_here_") for each in settings.get("defaults", ()) if "@_here_" in str(each)]
    return name in settings or any(_has_setting(file.parent / f"{each}.yaml", name) for each in included)
