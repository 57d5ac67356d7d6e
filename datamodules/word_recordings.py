"""The recordings of a word folder: word, speaker and split of each; how many words a clip may have."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np

from overlapped_words.errors import DataError
from overlapped_words.messages import count

# The constant answer of a network would be right about every clip.
ONE_WORD = "so all clips have it and there is nothing to learn"
ONE_OR_NONE = "learn whether a clip has it: data.k=[0,1] model.output=set"


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
        pairs = zip(self.split_of, self.labels, strict=True)
        rows = sorted({pair: i for i, pair in reversed(list(enumerate(pairs)))}.values())
        paths = [self.paths[i] for i in rows]
        return Recordings(self.names, paths, self.labels[rows], self.speakers[rows], self.split_of[rows])


def check_k(k: int | Sequence[int] | None, names: Sequence[str], where: str | Path) -> tuple[int, int]:
    """The minimum and maximum number of words per clip; `where` is where the `names` of the words come from.

    None is four, as in the competition, or one to all of at most four words: clips with all words give the network
    nothing to learn.

    Raises:
        DataError: there are fewer words, or only one, which every clip would have.
    """
    if k is None:
        k = 4 if len(names) > 4 else (1, len(names))
    min_k, max_k = (k, k) if isinstance(k, int) else k
    if not (0 <= min_k <= max_k <= len(names) and max_k):
        shown = min_k if min_k == max_k else f"[{min_k}, {max_k}]"
        remedy = f"choose 1 to {len(names)}" if len(names) > 1 else f"add another word, or {ONE_OR_NONE}"
        raise DataError(f"data.k is {shown}, but {where} has {count(len(names), 'word')}; {remedy}")
    if len(names) == min_k == 1:
        raise DataError(f"{where}: has one word, {names[0]}, {ONE_WORD}; add another word, or {ONE_OR_NONE}")
    return min_k, max_k
