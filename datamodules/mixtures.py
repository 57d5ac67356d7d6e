"""The parameters of mixtures: which recordings, at which level, time and speed."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Mixtures:
    """The parameters of `n` mixtures of up to `k` recordings; row i describes mixture i.

    Args:
        starts: `(n, k)` the first sample of each recording's window, in the samples of the array of recordings.
        gains: `(n, k)` amplitude factors; 0 leaves a recording out.
        offsets: `(n, k)` delays in samples; negative is earlier.
        speeds: `(n, k)` factors; above 1 a recording is shorter and higher, below 0 it is played backward.
        levels: `(n, k)` RMS that a recording is divided by; 0: that of its window.
        targets: `(n, num_classes)`, equal shares for the words of a mixture; zeros if it has none.
    """

    starts: np.ndarray
    gains: np.ndarray
    offsets: np.ndarray
    speeds: np.ndarray
    levels: np.ndarray
    targets: np.ndarray

    def __getitem__(self, index: Any) -> "Mixtures":
        """The mixtures at `index`, in that order; anything that NumPy takes as an index."""
        return Mixtures(*(values[index] for values in self._arrays()))

    @property
    def max_speed(self) -> float:
        """The highest speed, in either direction."""
        return float(np.abs(self.speeds).max())

    def with_sounds(self, starts: np.ndarray, gains: np.ndarray, levels: np.ndarray) -> "Mixtures":
        """The mixtures with one more recording each, `(n,)`, neither shifted nor at another speed."""
        more = starts, gains, np.zeros_like(starts), np.ones(len(starts)), levels
        *columns, targets = self._arrays()
        wider = (np.column_stack(pair) for pair in zip(columns, more, strict=True))
        return Mixtures(*[*wider, targets])

    def _arrays(self) -> list[np.ndarray]:
        return [getattr(self, each.name) for each in fields(self)]


def concatenate(parts: Sequence[Mixtures]) -> Mixtures:
    """All mixtures of the parts, which may have different numbers of recordings per mixture."""
    width = max(part.gains.shape[1] for part in parts)
    padded = []
    for part in parts:
        missing = (0, 0), (0, width - part.gains.shape[1])
        *columns, targets = part._arrays()
        filled = [np.pad(values, missing, constant_values=int(values is part.speeds)) for values in columns]
        padded.append([*filled, targets])
    return Mixtures(*map(np.concatenate, zip(*padded, strict=True)))
