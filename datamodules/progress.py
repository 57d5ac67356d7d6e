"""Show progress: a bar on a terminal, a line in the log every minute elsewhere."""

import logging
import time
from datetime import timedelta

from tqdm import tqdm

from overlapped_words.messages import count

log = logging.getLogger(__name__)

INTERVAL = 60.0  # seconds between two lines


class Progress:
    """Counts up to `total`; the log lines give the share done and the time left.

    Args:
        total: number of units.
        description: what is done, e.g. "features".
        unit: what is counted, in the singular.
        done: units completed by an earlier process, which do not count for the speed.
        bar: whether to show a bar on a terminal instead of log lines.
    """

    def __init__(self, total: int, description: str, unit: str = "clip", done: int = 0, bar: bool = True) -> None:
        self.total, self.description, self.unit, self.done = total, description, unit, done
        self.bar = tqdm(total=total, desc=description, unit=unit, disable=None if bar else True)
        self._first, self._start = done, time.monotonic()
        self._last_line = self._start

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *error: object) -> None:
        self.bar.close()

    def update(self, number: int = 1) -> None:
        """Count `number` more; without a bar, log a line every INTERVAL seconds."""
        self.done += number
        self.bar.update(number)
        if self.bar.disable and time.monotonic() - self._last_line >= INTERVAL:
            log.info("%s: %s", self.description, str(self))
            self.line_printed()

    def line_printed(self) -> None:
        """Restart the interval, because the caller has printed a line."""
        self._last_line = time.monotonic()

    @property
    def time_left(self) -> str:
        """Time left at the speed so far: "0:12:05 left"."""
        speed = (self.done - self._first) / max(time.monotonic() - self._start, 1e-9)
        seconds = round((self.total - self.done) / speed) if speed > 0 else None
        return "time left unknown" if seconds is None else f"{timedelta(seconds=seconds)} left"

    def __str__(self) -> str:
        share = self.done / max(self.total, 1)
        return f"{share:.0%} ({self.done:,} of {count(self.total, self.unit)}), {self.time_left}"
