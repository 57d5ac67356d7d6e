"""What the scripts share: paths as the shell gives them, and refusals in one line."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from hydra.errors import CompactHydraException

PATHS = ("run_dir", "ckpt_path", "input", "output")


@contextmanager
def refusals() -> Iterator[None]:
    """What a program refuses is told without a stack, which is a HYDRA_FULL_ERROR=1 away."""
    try:
        yield
    except (ValueError, OSError) as error:
        raise CompactHydraException(str(error)) from error


def quote_paths(arguments: Sequence[str]) -> list[str]:
    """Paths as the shell gave them, quoted for Hydra, whose grammar stops at '=', ',' and letters outside of ASCII."""
    quoted = []
    for argument in arguments:
        name, equals, value = argument.partition("=")
        if name in PATHS and equals and value and value[0] not in "'\"" and value != "null":
            escaped = value.replace("\\", "\\\\").replace("'", "\\'")
            argument = f"{name}='{escaped}'"
        quoted.append(argument)
    return quoted


def take_paths() -> None:
    """Quotes the paths among this program's arguments."""
    sys.argv[1:] = quote_paths(sys.argv[1:])
