"""Data sets of clips that answer a whole batch of indices at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from datamodules.mixing import Mixer, Mixtures, mix, send

Batch = tuple[Tensor, Tensor]


@dataclass(frozen=True, eq=False)
class Clips(Dataset[Any]):
    """Clips that stay the same, each with an id and, where it is known, its answer.

    array: `(N, T)` int16 waveforms or `(N, C, F, T)` float16 features, usually a memory map that other splits share;
    rows: `(n,)` those of this split; targets: `(n, num_classes)` float32, rows summing to 1, or None; key: names the
    array's contents in the cache.
    """

    ids: Sequence[str]
    array: np.ndarray
    rows: np.ndarray
    targets: np.ndarray | None
    key: str

    def __len__(self) -> int:
        return len(self.rows)

    def __getitems__(self, numbers: Sequence[int]) -> Batch:
        """Clips `numbers`, counted through all epochs -> `(clips, targets)`; targets are `(B, 0)` where unknown."""
        index = np.asarray(numbers) % len(self)
        clips = torch.from_numpy(self.array[self.rows[index]])
        return clips, torch.from_numpy(self.targets[index]) if self.targets is not None else torch.empty(len(index), 0)

    def subset(self, index: np.ndarray) -> "Clips":
        """The clips at positions `index`, in that order, over the same array."""
        targets = None if self.targets is None else self.targets[index]
        return replace(self, ids=[self.ids[i] for i in index], rows=self.rows[index], targets=targets)


class OnTheFlyMixtures(Dataset[Any]):
    """Mixtures of single words drawn anew every epoch: `size` of them, a function of seed and epoch alone.

    words: `(N, T)` int16 single words, an array or a tensor on a GPU, where they are mixed then; key: names them in
    the cache; curriculum: so many epochs long the greatest number of words at once rises from 1 to the mixer's, and
    each mixture has any number up to it.
    """

    def __init__(
        self, words: np.ndarray | Tensor, mixer: Mixer, size: int, seed: int, key: str, curriculum: int = 0
    ) -> None:
        self.words, self.mixer, self.size, self.seed, self.key = words, mixer, size, seed, key
        self.curriculum = curriculum
        self._epoch = -1

    def __len__(self) -> int:
        return self.size

    def __getitems__(self, numbers: Sequence[int]) -> Batch:
        """Mixtures `numbers`, counted through all epochs -> waveforms `(B, T)` float32, targets `(B, num_classes)`."""
        epoch, index = np.divmod(np.asarray(numbers), self.size)
        if epoch[0] != self._epoch:
            self._epoch = epoch[0]
            self._mixtures = self._mixer().draw(self.size, np.random.default_rng([self.seed, self._epoch]))
        waveforms = render(self.words, self._mixtures, index)
        return waveforms, send(torch.from_numpy(self._mixtures.targets[index]), waveforms.device)

    def with_words(self, words: np.ndarray | Tensor) -> "OnTheFlyMixtures":
        """The same mixtures, with the same words stored elsewhere."""
        return OnTheFlyMixtures(words, self.mixer, self.size, self.seed, self.key, self.curriculum)

    def _mixer(self) -> Mixer:
        """The epoch's: single words first, which are soon learned, and then ever more at once."""
        if self._epoch >= self.curriculum:
            return self.mixer
        most = 1 + self._epoch * self.mixer.k[1] // self.curriculum
        return replace(self.mixer, k=(1, int(most)))


@dataclass(frozen=True)
class Splits:
    """What a source holds.

    columns: the header of the table of predictions that it wants, the id's column first; sizes: of each split, how many
    "recordings" it is made of, and how many "speakers" said them where that is known.
    """

    class_names: list[str]
    columns: list[str]
    train: Clips | OnTheFlyMixtures
    val: Clips | None
    test: Clips | None
    sizes: Mapping[str, dict[str, int]] = field(default_factory=dict)


def take(array: np.ndarray | Tensor, rows: np.ndarray) -> Tensor:
    """Rows of an array, or of a tensor on its device; `rows` has any shape."""
    if isinstance(array, np.ndarray):
        return torch.from_numpy(array[rows])
    return array[send(torch.from_numpy(rows), array.device)]


def render(words: np.ndarray | Tensor, mixtures: Mixtures, index: np.ndarray) -> Tensor:
    """Mixtures number `index` as waveforms `(len(index), T)` float32 in [-1, 1], on the device of the words."""
    return mix(
        take(words, mixtures.recordings[index]),
        torch.from_numpy(mixtures.gains[index]),
        torch.from_numpy(mixtures.offsets[index]),
        torch.from_numpy(mixtures.speeds[index]),
    )
