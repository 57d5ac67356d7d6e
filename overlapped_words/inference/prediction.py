"""What a model predicts for a batch of clips."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from overlapped_words.messages import printable


class PredictedSets(NamedTuple):
    """The number of words of each clip, its most likely set of words, and the probability that each word is in it."""

    first: int  # the smallest number of words
    num_words: np.ndarray  # `(B, K)`, the probabilities of the numbers of words `first`, `first + 1`, ...
    words: np.ndarray  # `(B, num_classes)` bool, the most likely set
    probs: np.ndarray  # `(B,)`, the probabilities of these sets
    presence: np.ndarray  # `(B, num_classes)`, the probability that a word is in the clip, over all sets

    @property
    def any_word(self) -> np.ndarray:
        """The probability that a clip has any word, `(B,)`."""
        return 1 - self.num_words[:, 0] if self.first == 0 else np.ones(len(self.num_words), np.float32)


class Prediction(NamedTuple):
    """The probabilities of the words `(B, num_classes)`, which sum to 1; their sets, if all members predict sets."""

    probs: np.ndarray
    sets: PredictedSets | None = None

    @property
    def shown(self) -> np.ndarray:
        """For people: the presence of each word or, of a model without sets, its share."""
        return self.sets.presence if self.sets else self.probs

    @property
    def num_words(self) -> dict[str, np.ndarray]:
        """`num_words_0`, ... -> the probability `(B,)` of this number of words; empty if the number does not vary."""
        if not self.sets or self.sets.num_words.shape[1] == 1:
            return {}
        return {f"num_words_{k}": probs for k, probs in enumerate(self.sets.num_words.T, self.sets.first)}

    def likely_words(self, class_names: Sequence[str]) -> list[list[str]]:
        """The most likely set of words of each clip, the most probable word first; none for a model without sets."""
        sets = self.sets.words if self.sets else ()
        orders = (-self.probs).argsort(kind="stable")
        return [[class_names[i] for i in order if own[i]] for order, own in zip(orders, sets, strict=False)]

    def answer(self, class_names: Sequence[str]) -> str:
        """The most likely set of the first clip, for people: `right, nine (71.0%)`; empty for a model without sets."""
        if not self.sets:
            return ""
        words = ", ".join(map(printable, self.likely_words(class_names)[0]))
        return f"{words or 'none of the words'} ({self.sets.probs[0]:.1%})"

    def rows(self, index: slice | Sequence[int]) -> "Prediction":
        """The prediction for some of the clips."""
        sets = self.sets
        return Prediction(self.probs[index], sets and PredictedSets(sets.first, *(array[index] for array in sets[1:])))


def concatenate(predictions: Sequence[Prediction]) -> Prediction:
    """Join the predictions of consecutive batches; there must be at least one."""
    probs = np.concatenate([prediction.probs for prediction in predictions])
    sets = [prediction.sets[1:] for prediction in predictions if prediction.sets]
    first = predictions[0].sets
    return Prediction(probs, first and PredictedSets(first.first, *map(np.concatenate, zip(*sets, strict=True))))
