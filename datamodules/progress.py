"""Progress of work that takes long: a bar on a terminal, elsewhere a line in the log now and then."""

import logging
import time
from types import TracebackType

from tqdm import tqdm

from messages import count, duration

log = logging.getLogger(__name__)

INTERVAL = 60.0  # seconds between two lines


class Progress:
    """Counts up to `total`; the lines give the share done and the time left.

    Args:
        total: how much there is to do.
        description: what is done, e.g. "features".
        unit: what is counted, in the singular.
        done: what was done before, by an earlier process; it does not count for the speed.
        bar: whether a terminal shows a bar; without one it gets the lines too.
    """

    def __init__(self, total: int, description: str, unit: str = "clip", done: int = 0, bar: bool = True) -> None:
        self.total, self.description, self.unit, self.done = total, description, unit, done
        self.bar = tqdm(total=total, desc=description, unit=unit, disable=None if bar else True)
        self._first, self._start = done, time.monotonic()
        self._last_line = self._start

    def __enter__(self) -> "Progress":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bar.close()

    def update(self, number: int = 1) -> None:
        """Count `number` more; log a line if the last one is INTERVAL ago."""
        self.done += number
        self.bar.update(number)
        if self.bar.disable and time.monotonic() - self._last_line >= INTERVAL:
            log.info("%s: %s", self.description, str(self))
            self.line_printed()

    def line_printed(self) -> None:
        """Wait INTERVAL for the next line: the caller has printed one."""
        self._last_line = time.monotonic()

    @property
    def time_left(self) -> str:
        """Of all that is left, at the speed so far: "12 min 5 s left"."""
        speed = (self.done - self._first) / max(time.monotonic() - self._start, 1e-9)
        return f"{duration((self.total - self.done) / speed)} left" if speed > 0 else "time left unknown"

    def __str__(self) -> str:
        share = self.done / max(self.total, 1)
        return f"{share:.0%} ({self.done:,} of {count(self.total, self.unit)}), {self.time_left}"
