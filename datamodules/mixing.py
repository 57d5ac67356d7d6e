"""Several words into one clip, with its answer."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class Mixtures:
    """What goes into each of `n` mixtures; row i describes mixture i.

    recordings: `(n, k)` rows of the array of single words; gains: `(n, k)` amplitude factors, 0 for a word that is
    left out; offsets: `(n, k)` samples by which a word comes later (negative: earlier); targets: `(n, num_classes)`.
    """

    recordings: np.ndarray
    gains: np.ndarray
    offsets: np.ndarray
    targets: np.ndarray


@dataclass(frozen=True)
class Mixer:
    """The law by which mixtures are drawn: `k` different words (or between k[0] and k[1]), each turned down by a level
    uniform in 0 .. `gain_db` dB and shifted by an offset uniform in +-`offset` seconds; equal shares in the answer.
    """

    words: Sequence[np.ndarray]  # of each class, the rows of its recordings
    k: tuple[int, int] = (4, 4)
    gain_db: float = 3.0
    offset: float = 0.1
    sample_rate: int = 16_000

    def draw(self, n: int, rng: np.random.Generator) -> Mixtures:
        """`n` mixtures, in a few draws for all of them."""
        num_classes, most = len(self.words), self.k[1]
        # The first `most` places of a random order of the words: different words, each as likely as any other.
        classes = rng.random((n, num_classes)).argsort(axis=1)[:, :most]
        present = np.arange(most) < rng.integers(self.k[0], most + 1, size=(n, 1))
        counts = np.array([len(rows) for rows in self.words])
        starts = np.concatenate([[0], counts.cumsum()[:-1]])
        take = (rng.random((n, most)) * counts[classes]).astype(np.int64)
        recordings = np.concatenate(self.words)[starts[classes] + take]
        gains = 10 ** (-self.gain_db * rng.random((n, most)) / 20) * present
        reach = round(self.offset * self.sample_rate)
        offsets = rng.integers(-reach, reach + 1, size=(n, most))
        targets = np.zeros((n, num_classes), np.float32)
        np.put_along_axis(targets, classes, present / present.sum(axis=1, keepdims=True), axis=1)
        return Mixtures(recordings, gains.astype(np.float32), offsets, targets)


def mix(words: Tensor, gains: Tensor, offsets: Tensor) -> Tensor:
    """Single words `(B, k, T)`, gains and offsets `(B, k)` -> mixtures `(B, T)` in [-1, 1], their peak at 0.9.

    Words are brought to one level (root mean square) first, so a gain is a ratio between words, whatever the
    microphones were set to.
    """
    words = words.float()
    level = words.square().mean(dim=-1).sqrt().clamp(min=1e-6)
    length, reach = words.shape[-1], int(offsets.abs().max())
    # Every shift of a word as a view of the padded one; picking a shift copies just that one.
    shifts = F.pad(words, (reach, reach)).unfold(-1, length, 1)
    clip, place = torch.arange(words.shape[0])[:, None], torch.arange(words.shape[1])
    shifted = shifts[clip, place, reach - offsets]
    mixture = torch.einsum("bk,bkt->bt", gains / level, shifted)
    return mixture * (0.9 / mixture.abs().amax(dim=1, keepdim=True).clamp(min=1e-6))
