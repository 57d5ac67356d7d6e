"""What the scripts share: paths as the shell gives them, and user errors as one line."""

import logging
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn, JobStatus
from hydra.errors import HydraException, InstantiationException
from omegaconf.errors import OmegaConfBaseException

from errors import user_message
from messages import printable

CONF = Path(__file__).parent / "conf"
PATHS = ("run_dir", "ckpt_path", "input", "output")


def run(main: Callable[[], Any]) -> None:
    """Run a script's `hydra.main` function.

    A user error, an error of the operating system or a setting that Hydra rejects ends it with one message on stderr
    and status 1, a bug with a traceback. HYDRA_FULL_ERROR=1 shows the traceback of either.
    """
    sys.argv[1:] = as_overrides(sys.argv[1:])
    if os.environ.get("HYDRA_FULL_ERROR"):
        main()
        return
    # Hydra's own report of an error adds lines that do not help ("Error executing job with overrides", a hint at this
    # variable), and trims the traceback of a bug. With it set, Hydra raises what the job raised.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    JobReturn.return_value = property(_return_value, JobReturn.return_value.fset)  # type: ignore[assignment, attr-defined]
    logging.raiseExceptions = False  # a line that cannot be logged, on a full disk or a closed pipe, is no traceback
    try:
        try:
            with exit_on_error():
                main()
        finally:
            sys.stdout.flush()
    except BrokenPipeError:  # --help | head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the flush at exit fails once more
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
        sys.exit("\n".join(map(printable, message.expandtabs(4).splitlines())))  # names may hold anything


def _return_value(job: JobReturn) -> Any:
    if job.status != JobStatus.COMPLETED:
        raise job._return_value
    return job._return_value


def as_message(error: BaseException) -> str | None:
    """What to tell the user about an error; None where it is a bug of this program."""
    if isinstance(error, InstantiationException) and error.__cause__:  # what a constructor raised
        return as_message(error.__cause__)
    if isinstance(error, HydraException | OmegaConfBaseException):
        cause = error.__cause__
        return f"{error}\n{cause}" if isinstance(cause, OmegaConfBaseException) else str(error)
    return user_message(error)


def as_overrides(arguments: Sequence[str]) -> list[str]:
    """Write arguments as Hydra reads them.

    Its grammar stops at '=', ',' and letters outside of ASCII, so paths are quoted; and `GROUP=null` is `~GROUP`.
    """
    overrides = []
    for argument in arguments:
        name, equals, value = argument.partition("=")
        if value == "null" and name.isidentifier() and (CONF / name).is_dir():
            argument = f"~{name}"
        elif name in PATHS and equals and value and value[0] not in "'\"" and value != "null":
            escaped = value.replace("\\", "\\\\").replace("'", "\\'")
            argument = f"{name}='{escaped}'"
        overrides.append(argument)
    return overrides
