"""Where windows of one second are taken from long recordings, and how they are split."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from zlib import crc32

import numpy as np

from datamodules.waveforms import NUM_SAMPLES

FRAME = 160  # samples, 10 ms
OUTSIDE = 0.01  # share of a word's amplitude before its start, and after its end


@dataclass(frozen=True)
class Spans:
    """Parts of recordings, in the samples of an array of rows, one after another.

    Args:
        first: `(n,)` the first sample of each part.
        lengths: `(n,)` in samples, at least one window.
        levels: `(n,)` RMS of the part.
    """

    first: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    lengths: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    levels: np.ndarray = field(default_factory=lambda: np.zeros(0))

    def __len__(self) -> int:
        return len(self.first)

    def content(self, array: np.ndarray) -> list[list[int]]:
        """A checksum of the samples of each part."""
        samples, ends = array.reshape(-1), self.first + self.lengths
        return [[crc32(samples[start:end].data)] for start, end in zip(self.first, ends, strict=True)]

    def draw(self, size: tuple[int, ...], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """The first samples of random windows, all equally likely, and the levels of their parts."""
        ends = (self.lengths - NUM_SAMPLES + 1).cumsum()  # of the parts, in a sequence of all windows
        window = rng.integers(ends[-1], size=size)
        part = np.searchsorted(ends, window, side="right")
        return self.first[part] + self.lengths[part] - NUM_SAMPLES + 1 + window - ends[part], self.levels[part]


def find_spans(parts: np.ndarray, array: np.ndarray) -> Spans:
    """Parts `(n, 2)` of the samples of `array`, from one to another; those shorter than a window are left out."""
    parts, samples = parts[parts[:, 1] - parts[:, 0] >= NUM_SAMPLES], array.reshape(-1)
    levels = [np.sqrt(np.square(samples[start:end], dtype=np.float32).mean()) for start, end in parts]
    return Spans(parts[:, 0], parts[:, 1] - parts[:, 0], np.maximum(levels, 1.0))


def split_recordings(
    lengths: np.ndarray, groups: Sequence[str], split_of: Mapping[str, str], fractions: Mapping[str, float], seed: int
) -> dict[str, np.ndarray]:
    """The part `(n, 2)` of each of n recordings that is in train, val and test: from one sample to another.

    The recordings are put in an order in which those of a group, such as a speaker, follow each other, and the splits
    are consecutive parts of their samples. So the shares are exact even if there is a single recording; a group is cut
    only where a split ends.

    Args:
        lengths: `(n,)` in samples.
        groups: the group of each recording.
        split_of: the split of some of the groups, which are then in no other.
        fractions: the shares of val and test.
    """
    rank = {group: i for i, group in enumerate(np.random.default_rng(seed).permutation(sorted(set(groups))))}
    order = np.array(sorted(range(len(groups)), key=lambda i: rank[groups[i]]), np.int64)
    known = np.array([split_of.get(group, "") for group in groups], object)
    free = np.where(known == "", lengths, 0)
    ends = np.zeros_like(lengths)
    ends[order] = free[order].cumsum()
    starts, (val, test) = ends - free, fractions.values()
    bounds = {"train": (0, 1 - val - test), "val": (1 - val - test, 1 - test), "test": (1 - test, 1)}
    parts = {}
    for split, shares in bounds.items():
        cuts = [(round(share * free.sum()) - starts).clip(0, free) for share in shares]
        cuts[1] = np.where(known == split, lengths, cuts[1])
        parts[split] = np.stack(cuts, axis=1)
    return parts


def find_extents(words: np.ndarray) -> np.ndarray:
    """Single words `(N, T)` int16 -> the first sample of each word in its clip and the one after its last: `(N, 2)`.

    A share OUTSIDE of a word's amplitude lies before its start, and as much after its end. Noise as in the quietest
    quarter of the clip is not counted.
    """
    extents = [np.zeros((0, 2), np.int64)]
    for start in range(0, len(words), 1024):
        frames = words[start : start + 1024].reshape(-1, words.shape[1] // FRAME, FRAME)
        amplitude = np.sqrt(np.square(frames, dtype=np.float32).mean(axis=2))
        amplitude = (amplitude - 1.5 * np.quantile(amplitude, 0.25, axis=1, keepdims=True)).clip(min=0)
        amplitude[~amplitude.any(axis=1)] = 1  # nothing but noise: all of it
        share = amplitude.cumsum(axis=1) / np.maximum(amplitude.sum(axis=1, keepdims=True), 1e-9)
        first, last = (share <= OUTSIDE).sum(axis=1), (share < 1 - OUTSIDE).sum(axis=1)
        extents.append(FRAME * np.stack([first, np.minimum(last + 1, frames.shape[1])], axis=1))
    return np.concatenate(extents)
