"""Parse JSON, YAML and CSV files that may be damaged or come from an untrusted source."""

import json
import math
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from overlapped_words.errors import RunError
from overlapped_words.messages import printable

if TYPE_CHECKING:
    import pandas as pd

LARGEST = {".json": 2**20, ".yaml": 2**16, ".csv": 2**24}  # bytes; train.py writes a few thousand
MAX_COLUMNS = 10_000  # each costs pandas time, and a long line of commas is a small file
MAX_DEPTH = 20  # levels of nesting; train.py writes six


def check_file(path: Path, remedy: str, largest: int | None = None) -> None:
    """Raise RunError for a folder, for a device or a pipe, which may be endless, and for a file of absurd size."""
    if not path.is_file():
        raise RunError(f"{path}: {'not a file' if path.exists() else 'does not exist'}; {remedy}")
    size, largest = path.stat().st_size, largest or LARGEST[path.suffix]
    if size > largest:
        raise RunError(f"{path}: {size:,} bytes, more than the {largest:,} it may have; {remedy}")


def read_csv(path: Path, remedy: str, largest: int | None = None, **layout: Any) -> "pd.DataFrame":
    """A CSV as `pandas.read_csv` reads it with the options `layout`.

    Raises:
        RunError: it is not a table, or larger than `largest` bytes; the message ends with the `remedy`.
    """
    import pandas as pd

    check_file(path, remedy, largest)
    try:
        with path.open("rb") as file:
            wide = any(line.count(b",") >= MAX_COLUMNS for line in file)
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # pandas drops surplus cells with a warning
            table = None if wide else pd.read_csv(path, low_memory=False, **layout)
    except (OSError, ValueError, ArithmeticError, pd.errors.ParserWarning) as error:
        raise RunError(f"{path}: not a table in UTF-8 ({_reason(error)}); {remedy}") from error
    if table is None:
        raise RunError(f"{path}: has a line of more than {MAX_COLUMNS:,} columns; {remedy}")
    return table


def read_plain(path: Path, kind: Any, remedy: str) -> Any:
    """The content of a JSON file, or of a YAML file without tags, aliases and interpolations; it has the type `kind`.

    Raises:
        RunError: it is damaged or of another type; the message ends with the `remedy`.
    """
    from pydantic import TypeAdapter, ValidationError  # a checkpoint is loaded without it

    check_file(path, remedy)
    text = path.read_bytes()
    try:
        content = json.loads(text) if path.suffix == ".json" else yaml.load(text, _PlainLoader)
        TypeAdapter(kind).validate_python(content, strict=True)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        name = printable(".".join(map(str, fault["loc"]))[:60]) or "its content"
        raise RunError(f"{path}: {name}: {fault['msg']}; {remedy}") from error
    # In YAML, a malformed number or date raises another exception than YAMLError.
    except (yaml.YAMLError, ValueError, ArithmeticError, RecursionError) as error:
        raise RunError(f"{path}: not plain {path.suffix[1:].upper()} ({_reason(error)}); {remedy}") from error
    for key, value in content.items():
        if not _is_plain({key: value}):
            name = printable(key[:60]) if isinstance(key, str) else "a key"
            raise RunError(f"{path}: {name}: Input should be plain text, finite numbers, lists and mappings; {remedy}")
    return content


class _PlainLoader(yaml.SafeLoader):
    """Rejects tags, interpolations and aliases, a few lines of which can expand to gigabytes."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.peek_event()
        scalar = isinstance(event, yaml.ScalarEvent)
        if isinstance(event, yaml.AliasEvent) or event.tag is not None or (scalar and "${" in event.value):
            raise yaml.composer.ComposerError(None, None, "a tag, an alias or an interpolation", event.start_mark)
        return super().compose_node(parent, index)


def _reason(error: Exception) -> str:
    """The message of an error on one line."""
    if isinstance(error, RecursionError):
        return "nested too deeply"
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        return f"line {error.problem_mark.line + 1}: {error.problem}"
    return " ".join(str(error).split()) or type(error).__name__


def _is_plain(value: Any, depth: int = 0) -> bool:
    """Whether a value is plain data in which no number, text or nesting makes arithmetic, printing or recursion fail.

    That is null, true, false, finite numbers, integers that float64 holds exactly, text that UTF-8 can encode, and up
    to MAX_DEPTH levels of lists and mappings of these.
    """
    if value is None or isinstance(value, bool):
        return True
    if isinstance(value, str):
        return value.isascii() or not any("\ud800" <= c <= "\udfff" for c in value)
    if isinstance(value, int | float):
        return abs(value) <= 2**53 if isinstance(value, int) else math.isfinite(value)
    if isinstance(value, dict):
        return all(isinstance(key, str) for key in value) and _is_plain([*value, *value.values()], depth)
    return isinstance(value, list) and depth < MAX_DEPTH and all(_is_plain(item, depth + 1) for item in value)
