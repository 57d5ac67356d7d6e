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
    left out; offsets: `(n, k)` samples by which a word comes later (negative: earlier); speeds: `(n, k)` factors, above
    1 shorter and higher; targets: `(n, num_classes)`.
    """

    recordings: np.ndarray
    gains: np.ndarray
    offsets: np.ndarray
    speeds: np.ndarray
    targets: np.ndarray


@dataclass(frozen=True)
class Mixer:
    """The law by which mixtures are drawn: `k` different words (or between k[0] and k[1]), each turned down by a level
    uniform in 0 .. `gain_db` dB, shifted by an offset uniform in +-`offset` seconds and played at a speed log-uniform
    in 1 / (1 + `speed`) .. 1 + `speed`; equal shares in the answer.

    Another speed makes another speaker of a word: of other size, pitch and tempo (Ko et al., Interspeech 2015).
    """

    words: Sequence[np.ndarray]  # of each class, the rows of its recordings
    k: tuple[int, int] = (4, 4)
    gain_db: float = 3.0
    offset: float = 0.1
    speed: float = 0.0
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
        speeds = (1 + self.speed) ** rng.uniform(-1, 1, size=(n, most)) if self.speed else np.ones((n, most))
        targets = np.zeros((n, num_classes), np.float32)
        np.put_along_axis(targets, classes, present / present.sum(axis=1, keepdims=True), axis=1)
        return Mixtures(recordings, gains.astype(np.float32), offsets, speeds.astype(np.float32), targets)


def mix(words: Tensor, gains: Tensor, offsets: Tensor, speeds: Tensor) -> Tensor:
    """Single words `(B, k, T)`; gains, offsets and speeds `(B, k)` -> mixtures `(B, T)` in [-1, 1], their peak at 0.9.

    Words are brought to one level (root mean square) first, so a gain is a ratio between words, whatever the
    microphones were set to. The words may be on a GPU; the rest is on the CPU, so that nothing is read back.
    """
    words = words.float()
    level = words.square().mean(dim=-1).sqrt().clamp(min=1e-6)
    placed = shift(words, offsets) if (speeds == 1).all() else speed_perturbation(words, offsets, speeds)
    mixture = torch.einsum("bk,bkt->bt", send(gains, words.device) / level, placed)
    return mixture * (0.9 / mixture.abs().amax(dim=1, keepdim=True).clamp(min=1e-6))


def send(tensor: Tensor, device: torch.device) -> Tensor:
    """A CPU tensor to `device`; to a GPU from pinned memory, so that the host does not wait for work queued there."""
    tensor = tensor.pin_memory() if device.type == "cuda" else tensor
    return tensor.to(device, non_blocking=True)


def shift(words: Tensor, offsets: Tensor) -> Tensor:
    """Words `(B, k, T)`, each later by its offset `(B, k)`; zeros come in."""
    length, reach = words.shape[-1], int(offsets.abs().max())
    # Every shift of a word as a view of the padded one; picking a shift copies just that one.
    shifts = F.pad(words, (reach, reach)).unfold(-1, length, 1)
    clip = torch.arange(words.shape[0], device=words.device)[:, None]
    place = torch.arange(words.shape[1], device=words.device)
    return shifts[clip, place, send(reach - offsets, words.device)]


def speed_perturbation(words: Tensor, offsets: Tensor, speeds: Tensor) -> Tensor:
    """Words `(B, k, T)`, each played at its speed `(B, k)` about its middle and later by its offset; zeros come in.

    Between samples a cubic through four neighbors (Catmull and Rom), which takes 1 dB off at a quarter of the sample
    rate: a windowed sinc for every word's own speed would cost as much as the features.
    """
    length, middle = words.shape[-1], words.shape[-1] / 2
    offsets, speeds = send(offsets, words.device), send(speeds, words.device)
    source = (torch.arange(length, device=words.device) - middle - offsets[..., None]) * speeds[..., None] + middle
    source = source.clamp(-2, length)  # where the neighbors are zeros
    before = source.floor()
    u, before = source - before, before.long() + 2
    padded = F.pad(words, (3, 3))
    a, b, c, d = (padded.gather(-1, before + i) for i in range(4))
    return b + u * (c - a + u * (2 * a - 5 * b + 4 * c - d + u * (3 * (b - c) + d - a))) / 2
