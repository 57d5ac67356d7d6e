"""Recordings of single words and their speakers; a split, in which no speaker is in two parts; folds."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import pandas as pd

from overlapped_words.errors import DataError
from overlapped_words.messages import count, normalize_name

MAX_DRAWS = 100  # random splits of the speakers to try
SPEAKERS = "speakers outside the test split"
# The constant answer of a network would be right about every clip.
ONE_WORD = "so all clips have it and there is nothing to learn"
ONE_OR_NONE = "learn whether a clip has it: data.k=[0,1] model.output=set"


def find_speakers(paths: Sequence[Path], regex: str) -> np.ndarray:
    """The speaker of each recording, from its file name; a DataError if `regex` does not match a name."""
    speakers = [find_speaker(normalize_name(path.name), regex) for path in paths]
    if "" in speakers:
        raise DataError(
            f"{paths[speakers.index('')]}: data.speaker_regex ({regex}) does not match the file name; rename the file "
            "or use an expression whose first group is the speaker"
        )
    return np.array(speakers)


def find_speaker(name: str, regex: str) -> str:
    """The first group of `regex` in a file name, or its whole match; empty without one."""
    match = re.search(regex, name)
    return (match and match[min(1, match.re.groups)]) or ""


def split_speakers(
    speakers: np.ndarray, labels: np.ndarray, fractions: Mapping[str, float], fold: int | None, seed: int
) -> np.ndarray:
    """The speaker and the word of each recording -> the name of its split: train, val or test.

    Speakers are split at random by the `fractions` of val and test, again if a split lacks a word that few recorded.
    With a `fold`, that one of the speakers outside of test is val; a split of any fold may be the one that lacks a
    word, so that the test speakers of all folds are the same.

    Raises:
        DataError: the fold is out of range.
    """
    rng = np.random.default_rng(seed)
    names, speaker_of = np.unique(speakers, return_inverse=True)
    said = np.zeros((len(names), len(set(labels))), bool)  # by each speaker, each word
    said[speaker_of, np.unique(labels, return_inverse=True)[1]] = True
    for _ in range(MAX_DRAWS):
        order = rng.permutation(len(names))
        num_val, num_test = (round(share * len(order)) or int(share > 0) for share in fractions.values())
        val, test, train = np.split(order, [num_val, num_val + num_test])
        vals = [val] if fold is None else split_folds(np.concatenate([val, train]), fractions["val"], fold, SPEAKERS)
        trains = [np.setdiff1d(order, [*val, *test]) for val in vals]
        if all(said[split].any(axis=0).all() for split in (test, *vals, *trains) if len(split)):
            break
    split_of = np.full(len(names), "train")
    split_of[vals[fold or 0]], split_of[test] = "val", "test"
    return split_of[speaker_of]


def split_folds(order: np.ndarray, val_fraction: float, fold: int, noun: str) -> list[np.ndarray]:
    """`round(1 / val_fraction)` parts of `order`, whose lengths differ by at most one; part `fold` must be one of them.

    Args:
        order: the shuffled clips or speakers, `(N,)`.
        val_fraction: fraction of one fold.
        fold: index of the fold.
        noun: what `order` contains, for the error message.

    Raises:
        DataError: there is no such fold, or there are more folds than elements in `order`.
    """
    num_folds = round(1 / val_fraction) if val_fraction else 0
    if not (2 <= num_folds <= len(order) and 0 <= fold < num_folds):
        raise DataError(
            f"data.fold is {fold}, but data.val_fraction={val_fraction} makes {num_folds} folds of {len(order)} {noun}"
            "; choose a fold from 0 to their number less one, a fraction up to 0.5 (0.2 makes five), or data.fold=null"
        )
    return np.array_split(order, num_folds)


@dataclass(frozen=True, eq=False)
class Recordings:
    """All recordings of a source; entry i of each field is that of recording i.

    Args:
        names: the words.
        paths: the files.
        labels: `(N,)` index of the word.
        speakers: `(N,)`.
        split_of: `(N,)` the name of the split that the speaker is in.
    """

    names: list[str]
    paths: list[Path]
    labels: np.ndarray
    speakers: np.ndarray
    split_of: np.ndarray

    def rows(self, split: str, label: int) -> np.ndarray:
        """The recordings of a word in a split."""
        return np.flatnonzero((self.split_of == split) & (self.labels == label))

    def size(self, split: str) -> dict[str, int]:
        in_split = self.split_of == split
        return {"recordings": int(in_split.sum()), "speakers": len(set(self.speakers[in_split]))}

    def content(self, split: str, waveforms: np.ndarray) -> list[list[Any]]:
        """The word, the speaker, the file name and a checksum of the samples `(N, T)` of each recording in a split."""
        rows = np.flatnonzero(self.split_of == split)
        return [
            [self.paths[i].parent.name, str(self.speakers[i]), self.paths[i].name, crc32(waveforms[i])] for i in rows
        ]

    def one_of_each(self) -> "Recordings":
        """The first recording of each word in each split."""
        rows = pd.DataFrame({"split": self.split_of, "label": self.labels}).drop_duplicates().index
        paths = [self.paths[i] for i in rows]
        return Recordings(self.names, paths, self.labels[rows], self.speakers[rows], self.split_of[rows])


def check_k(k: int | Sequence[int] | None, names: Sequence[str], where: str | Path) -> tuple[int, int]:
    """The minimum and maximum number of words per clip; `where` is where the `names` of the words come from.

    None is four, as in the competition, or one to all of at most four words: clips with all words give the network
    nothing to learn.

    Raises:
        DataError: there are fewer words, or every clip would have all words.
    """
    if k is None:
        k = 4 if len(names) > 4 else (1, len(names))
    min_k, max_k = (k, k) if isinstance(k, int) else k
    most, more = len(names), f"add another word, or {ONE_OR_NONE}"
    if min_k == max_k == most == 1:
        raise DataError(f"{where}: has one word, {names[0]}, {ONE_WORD}; {more}")
    if not (0 <= min_k <= max_k <= most and min_k < most and max_k):
        shown = min_k if min_k == max_k else f"[{min_k}, {max_k}]"
        remedy = f"choose a number below {most}, or a range such as [1,{most}]" if most > 1 else more
        raise DataError(f"data.k is {shown}, but {where} has {count(most, 'word')}; {remedy}")
    return min_k, max_k
