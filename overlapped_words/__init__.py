"""Predict which words are spoken in a recording. The public API, see docs/api.md.

from overlapped_words import load

model = load()    # or load("outputs/demo"), the folder of a run or a sweep
model("clip.wav").nlargest(4)
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from overlapped_words.errors import DataError, RunError, UserError
    from overlapped_words.inference.model import Model, load

__all__ = ["DataError", "Model", "RunError", "UserError", "__version__", "load"]
__version__ = version("overlapped-words")


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: torch takes seconds, and most modules of the package need none."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = "inference.model" if name in ("Model", "load") else "errors"
    return getattr(import_module(f"{__name__}.{module}"), name)
