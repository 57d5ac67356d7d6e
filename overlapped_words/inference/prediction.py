"""What a model predicts for a batch of clips."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class WordSets(NamedTuple):
    """The number of words of each clip, and its most likely set of words.

    Args:
        first: the smallest number of words.
        num_words: `(B, K)`, the probabilities of the numbers of words `first`, `first + 1`, ...
        words: `(B, num_classes)` bool, the most likely set.
        probs: `(B,)`, the probabilities of these sets.
    """

    first: int
    num_words: np.ndarray
    words: np.ndarray
    probs: np.ndarray

    @property
    def any_word(self) -> np.ndarray:
        """The probability that a clip has any word, `(B,)`."""
        return 1 - self.num_words[:, 0] if self.first == 0 else np.ones(len(self.num_words), np.float32)


class Prediction(NamedTuple):
    """The probabilities of the words `(B, num_classes)`, which sum to 1; their sets, if all members predict sets."""

    probs: np.ndarray
    sets: WordSets | None = None

    @property
    def columns(self) -> np.ndarray:
        """The probabilities of the words, then those of each number of words if there are several, `(B, columns)`."""
        if not self.sets or self.sets.num_words.shape[1] == 1:
            return self.probs
        return np.hstack([self.probs, self.sets.num_words])


def concatenate(predictions: Sequence[Prediction]) -> Prediction:
    """Join the predictions of consecutive batches; there must be at least one."""
    probs = np.concatenate([prediction.probs for prediction in predictions])
    sets = [prediction.sets for prediction in predictions if prediction.sets]
    if not sets:
        return Prediction(probs)
    _, num_words, words, set_probs = zip(*sets, strict=True)
    return Prediction(probs, WordSets(sets[0].first, *map(np.concatenate, (num_words, words, set_probs))))


def no_clips(num_classes: int, k: tuple[int, int] | None) -> Prediction:
    """The prediction for a batch of no clips."""
    probs = np.zeros((0, num_classes), np.float32)
    if k is None:
        return Prediction(probs)
    numbers = np.zeros((0, k[1] - k[0] + 1), np.float32)
    return Prediction(probs, WordSets(k[0], numbers, probs > 0, numbers[:, 0]))
