"""Batched data sets: fixed clips, and mixtures generated on the fly."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from datamodules.mixer import Mixer, Mixtures
from datamodules.mixing import mix, to_device
from datamodules.waveforms import NUM_SAMPLES, from_int16
from overlapped_words.errors import DataError


class Batch(NamedTuple):
    """What every data set yields.

    Args:
        clips: waveforms `(B, T)`, int16 if they are fixed and float32 in [-1, 1] if they are mixed on the fly, or
            features `(B, C, F, T)`, float16 as in the cache.
        targets: `(B, num_classes)` float32; `(B, 0)` if unknown.
    """

    clips: Tensor
    targets: Tensor


def as_waveforms(clips: Tensor) -> Tensor | None:
    """The clips of a batch as waveforms `(B, T)` float32 in [-1, 1]; None if they are features."""
    if clips.dim() != 2:
        return None
    return clips if clips.is_floating_point() else from_int16(clips)


@dataclass(frozen=True, eq=False)
class Clips(Dataset[Batch]):
    """n fixed clips, each with an id and, if known, a target.

    The array has `(N, T)` int16 waveforms or `(N, C, F, T)` float16 features. It is a memory map shared by splits, or a
    tensor on a GPU.
    """

    ids: Sequence[str]
    array: np.ndarray | Tensor
    rows: np.ndarray  # `(n,)` rows of the array that belong to this split
    targets: np.ndarray | None  # `(n, num_classes)` float32, rows that sum to 1; None if unknown
    key: str  # cache key of the array's content

    def __len__(self) -> int:
        return len(self.rows)

    def batch(self, indices: Sequence[int]) -> Batch:
        """The clips at `indices`, with targets on the device of the clips."""
        index = np.asarray(indices)
        clips = gather(self.array, self.rows[index])
        targets = torch.empty(len(index), 0) if self.targets is None else torch.from_numpy(self.targets[index])
        return Batch(clips, to_device(targets, clips.device))

    __getitems__ = batch  # for data loaders

    @property
    def k(self) -> tuple[int, int]:
        """The minimum and maximum number of words in a clip."""
        number = (self.targets > 0).sum(axis=1) if self.targets is not None else np.zeros(1)
        return int(number.min()), int(number.max())

    def check_equal_shares(self) -> None:
        """Raise a DataError that names the first target whose words have unequal shares."""
        assert self.targets is not None  # of training clips
        unequal = (self.targets > 0) & (self.targets < 0.999 * self.targets.max(axis=1, keepdims=True))
        for i in np.flatnonzero(unequal.any(axis=1))[:1]:
            shares = ", ".join(f"{share:.3g}" for share in sorted(self.targets[i], reverse=True)[:8] if share > 0)
            raise DataError(
                f"the target of {self.ids[i]} has the shares {shares}, but model.output=set needs equal shares for all "
                "words of a clip; use model.output=softmax"
            )

    def subset(self, index: np.ndarray) -> "Clips":
        """The clips at positions `index`, in that order, with the same array."""
        targets = None if self.targets is None else self.targets[index]
        return replace(self, ids=[self.ids[i] for i in index], rows=self.rows[index], targets=targets)


@dataclass(eq=False)
class OnTheFlyMixtures(Dataset[Batch]):
    """Mixtures of single words, new in every epoch; they depend on seed and epoch alone.

    The array has `(N, T)` int16 recordings, one row for each single word and consecutive rows for long ones; recordings
    are mixed on its device. Over the first `curriculum` epochs, the maximum number of words per mixture rises from 1 to
    that of the mixer, and mixtures have any number of words up to it.
    """

    array: np.ndarray | Tensor
    mixer: Mixer
    size: int  # mixtures per epoch
    seed: int  # of the mixtures
    key: str  # cache key of the array
    curriculum: int = 0
    _epoch: int = field(default=-1, init=False)

    def __len__(self) -> int:
        return self.size

    def __getitems__(self, pairs: Sequence[tuple[int, int]]) -> Batch:
        """(epoch, index) pairs of one epoch, as `EpochSampler` yields them -> the batch."""
        epochs, indices = zip(*pairs, strict=True)
        return self.batch(indices, epochs[0])

    def batch(self, indices: Sequence[int], epoch: int = 0) -> Batch:
        """Mixtures of an epoch -> waveforms `(B, T)` float32, targets `(B, num_classes)`."""
        if epoch != self._epoch:  # draw the mixtures of an epoch once, at its first batch
            self._epoch = epoch
            mixtures = self._mixer().draw(self.size, np.random.default_rng([self.seed, epoch]))
            self._parameters, self._max_speed = parameters(mixtures, self.array), mixtures.max_speed
        index = to_device(torch.tensor(indices), self._parameters[0].device)
        starts, *rest, targets = (each[index] for each in self._parameters)
        return Batch(mix(gather_windows(self.array, starts), *rest, max_speed=self._max_speed), targets)

    @property
    def k(self) -> tuple[int, int]:
        """The minimum and maximum number of words in a mixture, after the curriculum."""
        return self.mixer.k

    def check_equal_shares(self) -> None:
        """Nothing to check: mixtures give their words equal shares."""

    def _mixer(self) -> Mixer:
        """The mixer of the epoch: the curriculum starts with single words, which are easier, and adds words."""
        if self._epoch >= self.curriculum:
            return self.mixer
        min_k, max_k = self.mixer.k
        return replace(self.mixer, k=(min(1, min_k), 1 + self._epoch * max_k // self.curriculum))


@dataclass(frozen=True)
class Splits:
    """What a source loads; None for a split that does not exist.

    If training clips may have no words, `no_words` are clips of background and other speech by speakers of the test or
    else the validation split.
    """

    class_names: list[str]  # the words, in the order of the targets' columns
    columns: list[str]  # header of the table of predictions, the id's column first
    train: Clips | OnTheFlyMixtures
    val: Clips | None
    test: Clips | None
    sizes: Mapping[str, dict[str, int]] = field(default_factory=dict)  # of a split: "recordings", perhaps "speakers"
    no_words: Clips | None = None
    fingerprints: Mapping[str, str] = field(default_factory=dict)  # what a split is made of, see `cache.fingerprint`


def gather(array: np.ndarray | Tensor, rows: np.ndarray) -> Tensor:
    """Rows of an array, or of a tensor on its device; `rows` has any shape."""
    if isinstance(array, np.ndarray):
        return torch.from_numpy(array[rows])
    return array[to_device(torch.from_numpy(rows), array.device)]


def gather_windows(array: np.ndarray | Tensor, starts: Tensor) -> Tensor:
    """Windows of one second, `(*starts.shape, T)`, that begin at samples of an array, or of a tensor on its device."""
    if isinstance(array, np.ndarray):
        return torch.from_numpy(np.lib.stride_tricks.sliding_window_view(array.reshape(-1), NUM_SAMPLES)[starts])
    return array.view(-1).unfold(0, NUM_SAMPLES, 1)[starts]


def parameters(mixtures: Mixtures, array: np.ndarray | Tensor) -> list[Tensor]:
    """The parameters of mixtures, in their order, on the device of an array."""
    device = torch.device("cpu") if isinstance(array, np.ndarray) else array.device
    tensors = map(torch.from_numpy, vars(mixtures).values())
    return [to_device(each.float() if each.is_floating_point() else each, device) for each in tensors]


def render(words: np.ndarray | Tensor, mixtures: Mixtures, index: np.ndarray) -> Tensor:
    """Render the mixtures at `index` as waveforms `(len(index), T)` float32 in [-1, 1], on the device of the words."""
    starts, *rest, _ = parameters(mixtures[index], words)
    return mix(gather_windows(words, starts), *rest, max_speed=mixtures.max_speed)
