"""Sample the parameters of mixtures of words, other speech and background: which, at which level, time and speed."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from datamodules.spans import Spans
from datamodules.waveforms import NUM_SAMPLES, SAMPLE_RATE

BACKGROUND_SHARE = 0.5
BACKGROUND_DB = (0.0, 30.0)


@dataclass(frozen=True)
class Mixtures:
    """The parameters of `n` mixtures of up to `k` recordings; row i describes mixture i."""

    starts: np.ndarray  # `(n, k)` the first sample of each recording's window, in the array of recordings
    gains: np.ndarray  # `(n, k)` amplitude factors; 0 leaves a recording out
    offsets: np.ndarray  # `(n, k)` delays in samples; negative is earlier
    speeds: np.ndarray  # `(n, k)` factors; above 1 a recording is shorter and higher, below 0 it is played backward
    levels: np.ndarray  # `(n, k)` RMS that a recording is divided by; 0: that of its window
    targets: np.ndarray  # `(n, num_classes)`, equal shares for the words of a mixture; zeros if it has none

    def __getitem__(self, index: Any) -> "Mixtures":
        """The mixtures at `index`, in that order; anything that NumPy takes as an index."""
        return Mixtures(*(values[index] for values in vars(self).values()))

    @property
    def max_speed(self) -> float:
        """The highest speed, in either direction."""
        return float(np.abs(self.speeds).max())

    def with_sounds(self, starts: np.ndarray, gains: np.ndarray, levels: np.ndarray) -> "Mixtures":
        """The mixtures with one more recording each, `(n,)`, neither shifted nor at another speed."""
        more = starts, gains, np.zeros_like(starts), np.ones(len(starts)), levels
        *columns, targets = vars(self).values()
        wider = (np.column_stack(pair) for pair in zip(columns, more, strict=True))
        return Mixtures(*[*wider, targets])


def concatenate(parts: Sequence[Mixtures]) -> Mixtures:
    """All mixtures of the parts, which may have different numbers of recordings per mixture."""
    width = max(part.gains.shape[1] for part in parts)
    padded = []
    for part in parts:
        missing = (0, 0), (0, width - part.gains.shape[1])
        *columns, targets = vars(part).values()
        filled = [np.pad(values, missing, constant_values=int(values is part.speeds)) for values in columns]
        padded.append([*filled, targets])
    return Mixtures(*map(np.concatenate, zip(*padded, strict=True)))


@dataclass(frozen=True)
class Mixer:
    """Samples mixtures: different words with equal shares in the target.

    Words of a class are played at a speed log-uniform in [1 / (1 + speed), 1 + speed], rounded to 1/80. This changes
    pitch and tempo, so it simulates other speakers. Where a mixture has fewer words than the maximum, other speech
    takes each free slot with the probability `unknown_share`: a word played backward or, half of the time if there is
    any, a window of `unknown`.

    Source: speed perturbation, Ko et al., Interspeech 2015.
    """

    words: Sequence[np.ndarray]  # for each class, the rows of its recordings in the array of recordings
    k: tuple[int, int] = (4, 4)  # minimum and maximum number of words in a mixture, uniform between them
    gain_db: float = 3.0  # each word is attenuated by a level uniform in [0, gain_db] dB
    offset: float = 0.1  # each word is shifted by a time uniform in [-offset, offset] seconds
    speeds: Sequence[float] = ()  # one per class; empty: all words at their own speed
    unknown_share: float = 0.0
    unknown: Spans = field(default_factory=Spans)  # other speech
    background: Spans = field(default_factory=Spans)  # in BACKGROUND_SHARE of the mixtures, BACKGROUND_DB below a word
    sample_rate: int = SAMPLE_RATE  # in Hz

    def draw(self, n: int, rng: np.random.Generator) -> Mixtures:
        """Sample the parameters of `n` mixtures, vectorized over all of them."""
        mixtures = self.draw_speech(n, rng)
        if len(self.background):
            present = rng.random(n) < BACKGROUND_SHARE
            gains = present * 10 ** (-rng.uniform(*BACKGROUND_DB, n) / 20)
            starts, levels = self.background.draw((n,), rng)
            mixtures = mixtures.with_sounds(starts, gains, levels)
        return mixtures

    def draw_without_words(self, n: int, rng: np.random.Generator) -> Mixtures:
        """Sample `n` mixtures without words, of background and other speech."""
        parts, number = [], 0
        while number < n:
            mixtures = self.draw(100 + 4 * n, rng)
            parts.append(mixtures[~mixtures.targets.any(axis=1) & mixtures.gains.any(axis=1)])
            number += len(parts[-1].gains)
        return concatenate(parts)[:n]

    def draw_words(self, classes: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """A recording of each class, as its row, and its speed; of the shape of `classes`."""
        # Recordings of all classes lie one class after the other in a flat array; classes differ in size.
        counts = np.array([len(rows) for rows in self.words])
        first = np.concatenate([[0], counts.cumsum()[:-1]])
        picks = (rng.random(classes.shape) * counts[classes]).astype(np.int64)
        speeds = np.ones(classes.shape)
        if any(self.speeds):
            speeds = (1 + np.array(self.speeds)[classes]) ** rng.uniform(-1, 1, size=classes.shape)
        return np.concatenate(self.words)[first[classes] + picks], speeds

    def draw_speech(self, n: int, rng: np.random.Generator) -> Mixtures:
        """Mixtures without background: words and other speech at once."""
        num_classes, max_k = len(self.words), self.k[1]
        # The first max_k places of a random permutation of the classes: different words, all equally likely.
        classes = rng.random((n, num_classes)).argsort(axis=1)[:, :max_k]
        present = np.arange(max_k) < rng.integers(self.k[0], max_k + 1, size=(n, 1))  # (n, max_k) bool
        rows, speeds = self.draw_words(classes, rng)
        starts, levels = rows * NUM_SAMPLES, np.zeros((n, max_k))
        max_offset = round(self.offset * self.sample_rate)
        offsets = rng.integers(-max_offset, max_offset + 1, size=(n, max_k))
        targets = np.zeros((n, num_classes), np.float32)
        np.put_along_axis(targets, classes, present / np.maximum(present.sum(axis=1, keepdims=True), 1), axis=1)
        if self.unknown_share:
            other = ~present & (rng.random((n, max_k)) < self.unknown_share)
            backward = other & (rng.random((n, max_k)) < (0.5 if len(self.unknown) else 1))
            speeds = np.where(backward, -speeds, speeds)
            if len(self.unknown):
                drawn = self.unknown.draw((n, max_k), rng)
                starts, levels = (
                    np.where(other & ~backward, new, old) for new, old in zip(drawn, (starts, levels), strict=True)
                )
            present |= other
        gains = present * 10 ** (-self.gain_db * rng.random((n, max_k)) / 20)
        return Mixtures(starts, gains, offsets, speeds, levels, targets)
