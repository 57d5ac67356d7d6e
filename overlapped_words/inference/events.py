"""Decide from overlapping windows when which word was spoken. Needs no torch."""

import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from numbers import Integral, Real
from typing import NamedTuple

import numpy as np

from overlapped_words.errors import RunError
from overlapped_words.messages import first_names

LIMITS = {"hop": (0.01, 1), "windows": (1, 100), "threshold": (0, 1), "refractory": (0, 60)}
RELEASE = 0.5  # a word may be an event again after its score has been below this share of its threshold


class Event(NamedTuple):
    """A word that was spoken: it lies between `start_s` and `end_s`, in seconds from the start of the recording."""

    start_s: float
    end_s: float
    word: str
    probability: float  # that the word was spoken, from the window in which it is most certain


@dataclass(frozen=True)
class EventRule:
    """When a word is an event.

    A window of one second starts every `hop` seconds. The score of a word is its lowest probability in the last
    `windows` windows. The word is an event when its score reaches its threshold. It is an event again only after its
    score has been below half of the threshold, `refractory` seconds or more after the event. It lies in what these
    windows share: between the start of the last and the end of the first.

    Args:
        hop: seconds from one window to the next, 0.01 to 1.
        windows: number of windows, 1 to 100; together, they must share some of their second.
        threshold: one for all words, or one per word, 0 to 1.
        refractory: seconds, 0 to 60.

    Raises:
        RunError: a number is out of range.
    """

    hop: float = 0.125
    windows: int = 3
    threshold: float | Mapping[str, float] = 0.9
    refractory: float = 1.0

    def __post_init__(self) -> None:
        of_words = list(self.threshold.values()) if isinstance(self.threshold, Mapping) else [self.threshold]
        numbers = [("hop", self.hop), ("windows", self.windows), ("refractory", self.refractory)]
        for name, value in [*numbers, *(("threshold", value) for value in of_words)]:
            least, most = LIMITS[name]
            number = isinstance(value, Integral if name == "windows" else Real)
            if not number or isinstance(value, bool) or not least <= value <= most:
                raise RunError(f"events.{name} is {value!r:.40}, not a number from {least} to {most}")
        if (self.windows - 1) * self.hop >= 1:
            raise RunError(f"{self.windows} windows every {self.hop} s share nothing; lower one of events.windows, hop")

    def with_threshold(self, threshold: float | None) -> "EventRule":
        """The rule with another threshold, or itself for None."""
        return self if threshold is None else replace(self, threshold=threshold)

    def thresholds(self, class_names: Sequence[str]) -> np.ndarray:
        """The threshold of each word, `(num_classes,)`; a RunError if they are those of other words."""
        if not isinstance(self.threshold, Mapping):
            return np.full(len(class_names), self.threshold)
        if other := set(class_names) ^ set(self.threshold):
            raise RunError(f"events.threshold is for different words ({first_names(sorted(other))}); give one per word")
        return np.array([self.threshold[word] for word in class_names])


class EventDetector:
    """Apply an `EventRule` to consecutive windows, in constant memory."""

    def __init__(self, rule: EventRule, class_names: Sequence[str]) -> None:
        self.rule, self.class_names = rule, class_names
        self.thresholds = rule.thresholds(class_names)
        self.recent: deque[tuple[float, float, np.ndarray]] = deque(maxlen=rule.windows)
        self.ready = np.ones(len(class_names), bool)  # to be an event
        self.last = np.full(len(class_names), -math.inf)  # end of the window of the last event, in seconds

    def push(self, start_s: float, end_s: float, presence: np.ndarray) -> list[Event]:
        """Add the next window, with the probability `(num_classes,)` of each word; return the events in it."""
        self.recent.append((start_s, end_s, presence.astype(np.float64)))  # as JavaScript's numbers
        if len(self.recent) < self.rule.windows:
            return []
        presences = np.stack([presence for _, _, presence in self.recent])
        score = presences.min(axis=0)
        self.ready |= (score < RELEASE * self.thresholds) & (end_s - self.last >= self.rule.refractory)
        words = np.flatnonzero(self.ready & (score >= self.thresholds)).tolist()
        self.ready[words], self.last[words] = False, end_s
        first_end = self.recent[0][1]
        return [Event(start_s, first_end, self.class_names[i], float(presences[:, i].max())) for i in words]
