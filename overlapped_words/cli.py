"""What the scripts share: arguments in Hydra's grammar, settings checked, errors as one line."""

import logging
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from difflib import get_close_matches
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException, InstantiationException, MissingConfigException, OverrideParseException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from overlapped_words.errors import user_message
from overlapped_words.messages import REMOVED_OPTIONS, printable, renamed
from overlapped_words.paths import CONF, command

PATHS = ("run_dir", "ckpt_path", "input", "output")
LIST = re.compile(r"\[([^\[\]\"]+)\]")  # without lists in it, and without strings in double quotes


def run(main: Callable[[Any], Any], schema: Any) -> None:
    """Run a script: compose conf/<script>.yaml with the command line, check it, call `main` with it.

    A user error, an operating system error or a setting that Hydra rejects: print one message on stderr and exit with
    status 1. A bug: print the traceback. HYDRA_FULL_ERROR=1 shows the traceback of all of them.

    Args:
        main: takes the settings; what it returns is what a sweeper minimizes.
        schema: the dataclass of the settings, named after the script.
    """
    sys.argv[1:] = as_overrides(sys.argv[1:], schema)
    debug = bool(os.environ.get("HYDRA_FULL_ERROR"))
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra raises errors as they are; its own report shortens the traceback
    logging.raiseExceptions = False  # no traceback for a log line that a full disk or a closed pipe rejects
    started = []

    def job(cfg: DictConfig) -> Any:
        from overlapped_words.settings.check import check, warn_unused  # Pydantic, which --help does not need

        started.append(True)
        # In a sweep, Hydra collects the errors of the members, so that the others go on.
        single = HydraConfig.get().mode == RunMode.RUN
        with exit_on_error() if single and not debug else nullcontext():
            settings = check(schema, cfg)
            warn_unused(settings, HydraConfig.get().overrides.task)
            return main(settings)

    try:
        try:
            with nullcontext() if debug else exit_on_error(lambda: not started):
                script = hydra.main(version_base="1.3", config_path=str(CONF), config_name=schema.__name__.lower())
                script(job)()
        finally:
            sys.stdout.flush()
    except BrokenPipeError:  # --help | head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # otherwise the flush at exit fails, too
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


@contextmanager
def exit_on_error(any_error: Callable[[], bool] = lambda: False) -> Iterator[None]:
    """End the program with the message of an error that is not a bug.

    Args:
        any_error: whether an exception of any type is the user's: while Hydra reads the command line.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except Exception as error:
        message = as_message(error)
        if message is None and any_error():
            message = f"{' '.join(sys.argv[1:])}: {str(error) or type(error).__name__}"
        if message is None:
            raise
        sys.exit("\n".join(map(printable, message.expandtabs(4).splitlines())))  # names may contain control characters


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


def as_overrides(arguments: Sequence[str], schema: Any) -> list[str]:
    """Rewrite arguments in Hydra's grammar.

    Quote paths and words: the grammar does not allow '=', ',' and letters outside of ASCII in them. Replace
    `GROUP=null` by `~GROUP`, and `FILE` by `input=FILE` for a script that has an input.
    """
    overrides = []
    for argument in arguments:
        name, equals, value = argument.partition("=")
        if argument == "hydra=null":
            sys.exit("hydra is null; leave it out, or set one of its options, hydra.*=...")
        if not equals and argument[:1] != "-" and "input" in schema.__dataclass_fields__ and os.path.exists(argument):
            argument = f"input={_quoted(argument)}"
        elif value == "null" and name.isidentifier() and (CONF / name).is_dir():
            argument = f"~{name}"
        elif name in PATHS and equals and value and value[0] not in "'\"" and value != "null":
            argument = f"{name}={_quoted(value)}"
        elif name == "data.words" and (match := LIST.fullmatch(value)):
            words = [word.strip() for word in match[1].split(",")]
            if not any(word.startswith("'") for word in words):
                argument = f"{name}=[{','.join(map(_quoted, words))}]"
        overrides.append(argument)
    return overrides


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


OmegaConf.register_new_resolver("command", command, replace=True)  # in the help texts of conf/
