"""Mixtures as the windows of a long recording: one or two words among other speech, some words cut by the window.

A window has a word if all of it is inside. A word of which at most half is inside counts as other speech: the window
before or after holds all of it. Between the two, a window may answer either way, so training has no such windows.
"""

from dataclasses import dataclass

import numpy as np

from datamodules.mixer import Mixer, Mixtures, concatenate
from datamodules.waveforms import NUM_SAMPLES, SAMPLE_RATE

WORD_SHARE = 0.5  # of the windows
SECOND_SHARE = 0.3  # of the windows with a word; that have a second one, which may overlap it
PARTIAL_SHARE = 0.3  # of the others; that have a part of a word, at their start or end
VISIBLE = (0.1, 0.5)  # how much of it
SPEECH_SHARE = 0.8  # windows with speech before the word; as many have speech after it
SPEECH_DB = (0.0, 10.0)  # of that speech below a word
PAUSE = round(0.15 * SAMPLE_RATE)  # at most, between a word and the speech beside it
OVER_SHARE = 0.25  # windows where speech is not beside the word, but
OVER_DB = (3.0, 20.0)  # so far below it
UNBROKEN_SHARE = 0.7  # windows without a word where speech has no pause


@dataclass(frozen=True)
class TimelineMixer(Mixer):
    """A mixer of which a share of the mixtures are windows of a long recording."""

    timeline: float = 0.0  # that share
    extents: np.ndarray | None = None  # `(N, 2)` the first sample of the word in each row, the one after its last

    def draw_speech(self, n: int, rng: np.random.Generator) -> Mixtures:
        number = rng.binomial(n, self.timeline) if self.timeline else 0
        mixtures = super().draw_speech(n - number, rng)
        return concatenate([mixtures, self.draw_windows(number, rng)])[rng.permutation(n)] if number else mixtures

    def draw_windows(self, n: int, rng: np.random.Generator) -> Mixtures:
        """Sample `n` windows. The columns: a word, speech before it, speech after it, another word or a part of it."""
        classes = rng.integers(len(self.words), size=(n, 2))
        rows, speeds = self.draw_words(classes, rng)
        assert self.extents is not None
        # In samples of the window: a word is played about the window's middle.
        extents = NUM_SAMPLES / 2 + (self.extents[rows] - NUM_SAMPLES / 2) / speeds[..., None]  # (n, 2 words, 2)
        (begin, end), (part_begin, part_end) = extents.transpose(1, 2, 0)
        moved = -begin + rng.random(n) * (NUM_SAMPLES - end + begin)  # anywhere inside
        has_word = rng.random(n) < WORD_SHARE
        has_second = has_word & (rng.random(n) < SECOND_SHARE) & (classes[:, 0] != classes[:, 1]) & (self.k[1] > 1)
        visible = (part_end - part_begin) * rng.uniform(*VISIBLE, n)
        at_start = rng.random(n) < 0.5
        part_moved = np.where(at_start, visible - part_end, NUM_SAMPLES - visible - part_begin)
        inside = -part_begin + rng.random(n) * (NUM_SAMPLES - part_end + part_begin)
        part_moved = np.where(has_second, inside, part_moved)

        pause = np.where(rng.random(n) < UNBROKEN_SHARE, NUM_SAMPLES + PAUSE, rng.uniform(0, NUM_SAMPLES, n))
        gaps = PAUSE * rng.random((2, n))
        speech_ends = np.where(has_word, begin + moved, pause) - gaps[0]
        speech_starts = np.where(has_word, end + moved, pause) + gaps[1]
        speech, speech_levels, speech_speeds = self._draw_other(n, rng)
        length = NUM_SAMPLES / np.abs(speech_speeds)  # of a window of speech, whose middle is the offset
        before = speech_ends - (length[:, 0] + NUM_SAMPLES) / 2
        after = speech_starts + (length[:, 1] - NUM_SAMPLES) / 2
        over = has_word & (rng.random(n) < OVER_SHARE)

        present = rng.random((n, 4)) < [1, SPEECH_SHARE, SPEECH_SHARE, PARTIAL_SHARE]
        present[:, 0] = has_word
        present[over, 1:3] = [True, False]
        present[has_second, 3] = True
        below = np.stack([self.gain_db * rng.random(n), *rng.uniform(*SPEECH_DB, (2, n)), self.gain_db * rng.random(n)])
        below[1] = np.where(over, rng.uniform(*OVER_DB, n), below[1])
        targets = np.zeros((n, len(self.words)), np.float32)
        targets[has_word, classes[has_word, 0]] = 1
        targets[has_second] /= 2
        targets[has_second, classes[has_second, 1]] = 0.5
        words = rows * NUM_SAMPLES
        return Mixtures(
            starts=np.column_stack([words[:, 0], speech, words[:, 1]]),
            gains=present * 10 ** (-below.T / 20),
            offsets=np.column_stack([moved, np.where(over, 0, before), after, part_moved]).round().astype(np.int64),
            speeds=np.column_stack([speeds[:, 0], speech_speeds, speeds[:, 1]]),
            levels=np.column_stack([np.zeros(n), speech_levels, np.zeros(n)]),
            targets=targets,
        )

    def _draw_other(self, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Windows of other speech, or words played backward: first samples, levels and speeds, `(n, 2)`."""
        if not len(self.unknown):
            rows, speeds = self.draw_words(rng.integers(len(self.words), size=(n, 2)), rng)
            return rows * NUM_SAMPLES, np.zeros((n, 2)), -speeds
        speeds = (1 + max(self.speeds, default=0)) ** rng.uniform(-1, 1, (n, 2))
        return *self.unknown.draw((n, 2), rng), speeds
