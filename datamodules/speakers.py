"""Speakers of recordings, and their split: no speaker is in two splits."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from datamodules.audio_files import normalize_name
from datamodules.folds import take_fold
from overlapped_words.errors import DataError

MAX_DRAWS = 100  # random splits of the speakers to try


def find_speakers(paths: Sequence[Path], regex: str) -> np.ndarray:
    """The speaker of each recording, from its file name: the first group of `regex`, or its whole match.

    Raises:
        DataError: `regex` does not match a name.
    """
    pattern, speakers = re.compile(regex), []
    for path in paths:
        match = pattern.search(normalize_name(path.name))
        speaker = match and match[min(1, pattern.groups)]
        if not speaker:
            raise DataError(
                f"{path}: data.speaker_regex ({regex}) does not match the file name; "
                "rename the file or use an expression whose first group is the speaker"
            )
        speakers.append(speaker)
    return np.array(speakers)


def split_speakers(
    speakers: np.ndarray, labels: np.ndarray, fractions: Mapping[str, float], fold: int | None, seed: int
) -> np.ndarray:
    """The speaker and the word of each recording -> the name of its split: train, val or test.

    Speakers are split at random, again if a split lacks a word that few speakers recorded.

    Args:
        fractions: the shares of the speakers in val and test.
        fold: which fold of the other speakers is val; None: a plain split.

    Raises:
        DataError: the fold is out of range.
    """
    rng = np.random.default_rng(seed)
    num_pairs = (1 + sum(share > 0 for share in fractions.values())) * len(set(labels))
    for _ in range(MAX_DRAWS):
        split_of = _split_at_random(speakers, fractions, fold, rng)
        if len(set(zip(split_of, labels, strict=True))) == num_pairs:
            break
    return split_of


def _split_at_random(
    speakers: np.ndarray, fractions: Mapping[str, float], fold: int | None, rng: np.random.Generator
) -> np.ndarray:
    order = rng.permutation(sorted(set(speakers)))
    num_val, num_test = (round(share * len(order)) or int(share > 0) for share in fractions.values())
    val, test, train = np.split(order, [num_val, num_val + num_test])
    if fold is not None:
        val = take_fold(np.concatenate([val, train]), fractions["val"], fold, "speakers outside the test split")
    split_of = dict.fromkeys(order, "train") | dict.fromkeys(val, "val") | dict.fromkeys(test, "test")
    return np.array([split_of[speaker] for speaker in speakers])
