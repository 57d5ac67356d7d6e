"""Sample mixtures of words with other speech and background."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from datamodules.mixtures import Mixtures, concatenate
from datamodules.spans import Spans
from datamodules.waveforms import NUM_SAMPLES, SAMPLE_RATE

BACKGROUND_SHARE = 0.5
BACKGROUND_DB = (0.0, 30.0)


@dataclass(frozen=True)
class Mixer:
    """Samples mixtures: different words with equal shares in the target.

    Args:
        words: for each class, the rows of its recordings in the array of recordings.
        k: minimum and maximum number of words in a mixture, uniform between them.
        gain_db: each word is attenuated by a level uniform in [0, gain_db] dB.
        offset: each word is shifted by a time uniform in [-offset, offset] seconds.
        speeds: one per class; its words are played at a speed log-uniform in [1 / (1 + speed), 1 + speed], rounded to
            1/80. This changes pitch and tempo, so it simulates other speakers. Empty: all words at their own speed.
        unknown_share: where a mixture has fewer words than the maximum, other speech takes each free slot with this
            probability: a word played backward or, half of the time if there is any, a window of `unknown`.
        unknown: other speech.
        background: background sounds. BACKGROUND_SHARE of the mixtures have one, BACKGROUND_DB below a word.
        sample_rate: in Hz.

    Source: speed perturbation, Ko et al., Interspeech 2015.
    """

    words: Sequence[np.ndarray]
    k: tuple[int, int] = (4, 4)
    gain_db: float = 3.0
    offset: float = 0.1
    speeds: Sequence[float] = ()
    unknown_share: float = 0.0
    unknown: Spans = field(default_factory=Spans)
    background: Spans = field(default_factory=Spans)
    sample_rate: int = SAMPLE_RATE

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
