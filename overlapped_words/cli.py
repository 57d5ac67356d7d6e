"""Shared by the scripts: quote paths for Hydra, print user errors as one line."""

import logging
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn, JobStatus
from hydra.errors import HydraException, InstantiationException, MissingConfigException, OverrideParseException
from omegaconf.errors import OmegaConfBaseException

from overlapped_words.errors import user_message
from overlapped_words.messages import REMOVED_OPTIONS, printable, renamed

CONF = Path(__file__).parents[1] / "conf"
PATHS = ("run_dir", "ckpt_path", "input", "output")
LIST = re.compile(r"\[([^\[\]\"]+)\]")  # without lists in it, and without strings in double quotes


def run(main: Callable[[], Any]) -> None:
    """Run a script's `hydra.main` function.

    A user error, an operating system error or a setting that Hydra rejects: print one message on stderr and exit with
    status 1. A bug: print the traceback. HYDRA_FULL_ERROR=1 shows the traceback of all of them.
    """
    sys.argv[1:] = as_overrides(sys.argv[1:])
    if os.environ.get("HYDRA_FULL_ERROR"):
        main()
        return
    # Hydra's own error report adds lines that do not help ("Error executing job with overrides", a hint at this
    # variable) and shortens the traceback of a bug. With the variable set, Hydra raises the error of the job.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    JobReturn.return_value = property(_return_value, JobReturn.return_value.fset)  # type: ignore[assignment, attr-defined]
    logging.raiseExceptions = False  # no traceback for a log line that a full disk or a closed pipe rejects
    try:
        try:
            with exit_on_error():
                main()
        finally:
            sys.stdout.flush()
    except BrokenPipeError:  # --help | head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # otherwise the flush at exit fails, too
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


@contextmanager
def exit_on_error() -> Iterator[None]:
    """End the program with the message of an error that is not a bug."""
    try:
        yield
    except BrokenPipeError:
        raise
    except Exception as error:
        if (message := as_message(error)) is None:
            raise
        sys.exit("\n".join(map(printable, message.expandtabs(4).splitlines())))  # names may contain control characters


def _return_value(job: JobReturn) -> Any:
    if job.status != JobStatus.COMPLETED:
        raise job._return_value
    return job._return_value


def as_message(error: BaseException) -> str | None:
    """The message for the user; None for a bug of this program."""
    if isinstance(error, InstantiationException) and error.__cause__:  # Hydra wraps the error of a constructor
        message = as_message(error.__cause__)
    elif isinstance(error, HydraException | OmegaConfBaseException):
        message = hydra_message(error)
    else:
        message = user_message(error)
    if message is None and _before_job(error):
        return f"{' '.join(sys.argv[1:])}: {str(error) or type(error).__name__}"
    return message


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
    if replaced := next(filter(None, map(renamed, re.findall(r"'[~+]*([\w.]+)'", str(error)))), None):
        return replaced
    cause = error.__cause__ if isinstance(error.__cause__, OmegaConfBaseException) else None
    key = next((error.full_key for error in (error, cause) if isinstance(error, OmegaConfBaseException)), None)
    dropped = ("full_key:", "reference_type=", "object_type=")
    lines = [line.strip() for part in (error, cause) if part for line in str(part).splitlines()]
    kept = [line.rstrip(".") for line in lines if line and not line.startswith(dropped)]
    message = ". ".join(dict.fromkeys(kept))
    return f"{key}: {message}" if key and key not in message else message


def _before_job(error: BaseException) -> bool:
    """Whether it was raised while Hydra read the command line and composed the configuration."""
    frames = traceback.extract_tb(error.__traceback__)
    composing = any(
        frame.name in ("load_configuration", "configure_log") or frame.filename.endswith("hydra/_internal/callbacks.py")
        for frame in frames
    )
    return composing or (bool(frames) and frames[-1].name in ("_run_hydra", "_get_rerun_conf"))


def as_overrides(arguments: Sequence[str]) -> list[str]:
    """Rewrite arguments in Hydra's grammar.

    Quote paths and words: the grammar does not allow '=', ',' and letters outside of ASCII in them. Replace
    `GROUP=null` by `~GROUP`.
    """
    overrides = []
    for argument in arguments:
        name, equals, value = argument.partition("=")
        if argument == "hydra=null":
            sys.exit("hydra is null; leave it out, or set one of its options, hydra.*=...")
        if value == "null" and name.isidentifier() and (CONF / name).is_dir():
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
