"""Errors as one line: those of users, and those of Hydra in its own words."""

import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from typing import Any, NoReturn

from hydra.errors import HydraException, InstantiationException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from overlapped_words.errors import user_message
from overlapped_words.messages import REMOVED_OPTIONS, printable, renamed
from overlapped_words.paths import CONF


@contextmanager
def exit_on_error(any_error: Callable[[], bool] = lambda: False) -> Iterator[None]:
    """End the program with the message of an error that is not a bug.

    Args:
        any_error: whether an exception of any type is the user's: while Hydra reads the command line.
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
    if isinstance(error, MissingConfigException) and error.missing_cfg_file and error.options:
        group, _, option = error.missing_cfg_file.rpartition("/")
        if replaced := REMOVED_OPTIONS.get(f"{group}={option}"):
            return f"{group}={option} was removed; use {replaced}"
        return f"{group}={option}: there is no such option; choose one of {', '.join(error.options)}"
    if isinstance(error, OverrideParseException):
        reason = str(error).removeprefix(f"Error parsing override '{error.override}'\n").partition("\n")[0]
        return f"{error.override}: not a setting ({reason}); give name=value, special characters as \"name='value'\""
    cause = error.__cause__ if isinstance(error.__cause__, OmegaConfBaseException) else error
    key = getattr(cause, "full_key", None)
    parent: Any = getattr(cause, "parent_node", None)
    if key and isinstance(parent, DictConfig) and "is not in struct" in str(cause):
        return renamed(key) or unknown_setting(key, parent)
    dropped = ("full_key:", "reference_type=", "object_type=")
    lines = [line.strip().rstrip(".") for part in (error, cause) for line in str(part).splitlines()]
    message = ". ".join(dict.fromkeys(line for line in lines if line and not line.startswith(dropped)))
    return f"{key}: {message}" if key and key not in message else message


def unknown_setting(key: str, group: DictConfig) -> str:
    """The error of a setting that its group does not have."""
    group_name, _, name = key.rpartition(".")
    known = [str(other) for other in group if other != "hydra"]
    where = f"{group_name} has" if group_name else "there are"
    message = f"{key}: there is no such setting"
    if others := options_with(group_name, name):
        return f"{message} here, only with {' or '.join(f'{group_name}={option}' for option in others)}"
    if close := get_close_matches(name, known, n=1):
        return f"{message}; did you mean {key.removesuffix(name)}{close[0]}?"
    return f"{message}; {where} {', '.join(known)}"


def options_with(group: str, name: str) -> list[str]:
    """The options of a config group that have a setting, in their file or in a file that they include."""
    options = []
    for file in sorted((CONF / group).glob("*.yaml")) if group else []:
        texts = [file.read_text(encoding="utf-8")]
        while included := re.search(r"^defaults: \[\"([\w/]+)@_here_\"", texts[-1], re.MULTILINE):
            path = included[1] if included[1].startswith("shared/") else f"shared/{included[1]}"
            texts.append((CONF / group / f"{path}.yaml").read_text(encoding="utf-8"))
        if re.search(rf"^{re.escape(name)}:", "\n".join(texts), re.MULTILINE):
            options.append(file.stem)
    return options
