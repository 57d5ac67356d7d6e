"""Format parts of messages: counts, sizes, lists of names, text that is safe to print."""

import logging
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from difflib import get_close_matches

JOINERS = "\u200c\u200d"  # not printable for Python, but part of Persian and Indic words


def first_names(names: Iterable[str]) -> str:
    """Up to three names and the number of the rest: `a, b, c and 2 more`."""
    names = [printable(name) for name in names]
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "") if names else "none"


def count(number: int, noun: str) -> str:
    """`1 recording`, `1,000 recordings`."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def split_size(size: Mapping[str, int]) -> str:
    """The size of a split: `2,016 recordings by 34 speakers`."""
    return " by ".join(count(number, noun.removesuffix("s")) for noun, number in size.items())


def normalize_name(text: str) -> str:
    """Normalize a name for comparison: macOS decomposes Korean syllables and accented letters, other systems do not."""
    return unicodedata.normalize("NFC", text).strip()


def suggest(setting: str, known: Sequence[str]) -> str:
    """What a wrong setting `GROUP.NAME` may be meant for: the closest name in the group, or all of them."""
    if not known:
        return "leave it out"
    group, dot, name = setting.rpartition(".")
    close = get_close_matches(name, known, n=1)
    return f"did you mean {group}{dot}{close[0]}?" if close else f"choose one of {', '.join(known)}"


def printable(text: str) -> str:
    r"""Escape control characters: `\x1b[2J` instead of a cleared terminal."""
    return "".join(c if c.isprintable() or c in JOINERS else c.encode("unicode_escape").decode() for c in text)


def clock(seconds: float) -> str:
    """A point in time, `m:ss.s` or `h:mm:ss.s`: `0:07.2`, `1:02:07.2`."""
    minutes, tenths = divmod(round(10 * seconds), 600)
    hours, minutes = divmod(minutes, 60)
    return (f"{hours}:{minutes:02}" if hours else f"{minutes}") + f":{tenths / 10:04.1f}"


@contextmanager
def grouped(log: logging.Logger) -> Iterator[None]:
    """Log repeated warnings of one argument (`%s`) once, at the end, with up to three of the names."""
    names: dict[str, list[str]] = defaultdict(list)

    def collect(record: logging.LogRecord) -> bool:
        match record.args:
            case (name,):
                names[record.msg].append(str(name))
                return False
        return True

    log.addFilter(collect)
    try:
        yield
    finally:
        log.removeFilter(collect)
        for message, files in sorted(names.items()):  # threads add them in any order
            log.warning(message, first_names(sorted(files)))
