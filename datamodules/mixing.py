"""Mix several words into one clip with its target."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from datamodules.waveforms import SAMPLE_RATE

BLOCK = 80  # samples; speeds are multiples of 1 / BLOCK
BACKGROUND_SHARE = 0.5
BACKGROUND_DB = (5.0, 30.0)
NO_ROWS = np.zeros(0, np.int64)


@dataclass(frozen=True)
class Mixtures:
    """The parameters of `n` mixtures of up to `k` recordings; row i describes mixture i.

    Args:
        recordings: `(n, k)` rows of the array of recordings.
        gains: `(n, k)` amplitude factors; 0 leaves a recording out.
        offsets: `(n, k)` delays in samples; negative is earlier.
        speeds: `(n, k)` factors; above 1 a recording is shorter and higher, below 0 it is played backward.
        targets: `(n, num_classes)`, equal shares for the words of a mixture; zeros if it has none.
    """

    recordings: np.ndarray
    gains: np.ndarray
    offsets: np.ndarray
    speeds: np.ndarray
    targets: np.ndarray

    def __getitem__(self, index: Any) -> "Mixtures":
        """The mixtures at `index`, in that order; anything that NumPy takes as an index."""
        return Mixtures(*(getattr(self, each.name)[index] for each in fields(self)))


@dataclass(frozen=True)
class Mixer:
    """Samples mixtures: different words with equal shares in the target.

    Args:
        words: for each class, the rows of its recordings in the array of recordings.
        k: minimum and maximum number of words in a mixture, uniform between them.
        gain_db: each word is attenuated by a level uniform in [0, gain_db] dB.
        offset: each word is shifted by a time uniform in [-offset, offset] seconds.
        speeds: one per class; its words are played at a speed log-uniform in [1 / (1 + speed), 1 + speed], rounded to
            1/80. This changes pitch and tempo, so it simulates other speakers. Empty: all words at their own speed.
        unknown_share: where a mixture has fewer words than the maximum, other speech takes each free slot with this
            probability: a word played backward or, half of the time if there are any, a recording of another word.
        unknown: rows of recordings of other words.
        background: rows of background sounds. BACKGROUND_SHARE of the mixtures have one, BACKGROUND_DB below a word.
        sample_rate: in Hz.

    Source: speed perturbation, Ko et al., Interspeech 2015.
    """

    words: Sequence[np.ndarray]
    k: tuple[int, int] = (4, 4)
    gain_db: float = 3.0
    offset: float = 0.1
    speeds: Sequence[float] = ()
    unknown_share: float = 0.0
    unknown: np.ndarray = field(default_factory=NO_ROWS.copy)
    background: np.ndarray = field(default_factory=NO_ROWS.copy)
    sample_rate: int = SAMPLE_RATE

    def draw(self, n: int, rng: np.random.Generator) -> Mixtures:
        """Sample the parameters of `n` mixtures, vectorized over all of them."""
        num_classes, max_k = len(self.words), self.k[1]
        # The first max_k places of a random permutation of the classes: different words, all equally likely.
        classes = rng.random((n, num_classes)).argsort(axis=1)[:, :max_k]
        present = np.arange(max_k) < rng.integers(self.k[0], max_k + 1, size=(n, 1))  # (n, max_k) bool
        # Recordings of all classes lie one class after the other in a flat array; classes differ in size.
        counts = np.array([len(rows) for rows in self.words])
        starts = np.concatenate([[0], counts.cumsum()[:-1]])
        picks = (rng.random((n, max_k)) * counts[classes]).astype(np.int64)
        recordings = np.concatenate(self.words)[starts[classes] + picks]
        levels = 10 ** (-self.gain_db * rng.random((n, max_k)) / 20)
        max_offset = round(self.offset * self.sample_rate)
        offsets = rng.integers(-max_offset, max_offset + 1, size=(n, max_k))
        speeds = np.ones((n, max_k))
        if any(self.speeds):
            speeds = (1 + np.array(self.speeds)[classes]) ** rng.uniform(-1, 1, size=(n, max_k))
        targets = np.zeros((n, num_classes), np.float32)
        np.put_along_axis(targets, classes, present / np.maximum(present.sum(axis=1, keepdims=True), 1), axis=1)
        if self.unknown_share:
            other = ~present & (rng.random((n, max_k)) < self.unknown_share)
            backward = other & (rng.random((n, max_k)) < (0.5 if len(self.unknown) else 1))
            speeds = np.where(backward, -speeds, speeds)
            if len(self.unknown):
                recordings = np.where(other & ~backward, rng.choice(self.unknown, (n, max_k)), recordings)
            present |= other
        gains = levels * present
        if len(self.background):  # one more column
            present = rng.random((n, 1)) < BACKGROUND_SHARE
            recordings = np.hstack([recordings, rng.choice(self.background, (n, 1))])
            gains = np.hstack([gains, present * 10 ** (-rng.uniform(*BACKGROUND_DB, (n, 1)) / 20)])
            offsets, speeds = np.pad(offsets, ((0, 0), (0, 1))), np.pad(speeds, ((0, 0), (0, 1)), constant_values=1)
        return Mixtures(recordings, gains.astype(np.float32), offsets, speeds.astype(np.float32), targets)

    def draw_without_words(self, n: int, rng: np.random.Generator) -> Mixtures:
        """Sample `n` mixtures without words, of background and other speech."""
        parts, number = [], 0
        while number < n:
            mixtures = self.draw(100 + 4 * n, rng)
            parts.append(mixtures[~mixtures.targets.any(axis=1) & mixtures.gains.any(axis=1)])
            number += len(parts[-1].gains)
        columns = {each.name: np.concatenate([getattr(part, each.name) for part in parts]) for each in fields(Mixtures)}
        return Mixtures(**columns)[:n]


def mix(words: Tensor, gains: Tensor, offsets: Tensor, speeds: Tensor) -> Tensor:
    """Single words `(B, k, T)`; gains, offsets and speeds `(B, k)` -> mixtures `(B, T)` in [-1, 1] with peak 0.9.

    A negative speed plays a word backward.
    Words are first scaled to equal RMS level, so a gain is a ratio between words whatever their recording levels.
    `words` may be on a GPU; the other arguments are on the CPU, so that nothing is read back from the GPU.
    """
    words = words.float()
    if (speeds < 0).any():
        words = torch.where(to_device(speeds < 0, words.device)[..., None], words.flip(-1), words)
        speeds = speeds.abs()
    level = words.square().mean(dim=-1).sqrt().clamp(min=1e-6)
    moved = shift(words, offsets) if (speeds == 1).all() else speed_perturbation(words, offsets, speeds)
    mixture = torch.einsum("bk,bkt->bt", to_device(gains, words.device) / level, moved)
    return mixture * (0.9 / mixture.abs().amax(dim=1, keepdim=True).clamp(min=1e-6))


def to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """Copy a CPU tensor to `device`; to a GPU from pinned memory, so that the host does not wait for queued work."""
    tensor = tensor.pin_memory() if device.type == "cuda" else tensor
    return tensor.to(device, non_blocking=True)


def shift(words: Tensor, offsets: Tensor) -> Tensor:
    """Shift words `(B, k, T)` by their offsets `(B, k)` in samples, filling with zeros."""
    length, max_offset = words.shape[-1], int(offsets.abs().max())
    # A view of all shifts, (B, k, 2 * max_offset + 1, T); indexing copies one shift per word.
    shifts = F.pad(words, (max_offset, max_offset)).unfold(-1, length, 1)
    clip = torch.arange(words.shape[0], device=words.device)[:, None]
    word = torch.arange(words.shape[1], device=words.device)
    return shifts[clip, word, to_device(max_offset - offsets, words.device)]


def speed_perturbation(words: Tensor, offsets: Tensor, speeds: Tensor) -> Tensor:
    """Play words `(B, k, T)` at their speeds `(B, k)` about their middle, shifted by their offsets; fill with zeros.

    Speeds are rounded to multiples of 1 / BLOCK. A block of BLOCK output samples then advances by a whole number of
    input samples, so all blocks of a word are interpolated by the same matrix: a product is faster than gathering four
    neighbors per sample. Interpolation is cubic (Catmull-Rom), which attenuates by 1 dB at a quarter of the sample
    rate.
    """
    length, middle, device = words.shape[-1], words.shape[-1] / 2, words.device
    advances = (speeds * BLOCK).round().long()  # input samples per block
    size = int(advances.max()) + 4  # input samples that a block depends on, at most
    # The input position of the first output sample; in float32 it would be off by up to 1/2000 of a sample.
    start = middle - (middle + offsets) * (advances.double() / BLOCK)
    whole, part = start.floor(), (start % 1).float()
    advances, whole, part = (to_device(each, device) for each in (advances, whole.long(), part))
    position = part[..., None] + torch.arange(BLOCK, device=device) * (advances / BLOCK)[..., None]
    u = position - position.floor()
    weights = [((2 - u) * u - 1) * u, (3 * u - 5) * u * u + 2, ((4 - 3 * u) * u + 1) * u, (u - 1) * u * u]
    neighbors = position.long()[..., None, :] + torch.arange(4, device=device)[:, None]
    matrix = words.new_zeros(*speeds.shape, size, BLOCK).scatter_(2, neighbors, torch.stack(weights, dim=2) / 2)
    # The first neighbor of each block, (B, k, blocks); blocks outside of the word read zeros.
    blocks = torch.arange(math.ceil(length / BLOCK), device=device)
    first = (whole - 1)[..., None] + blocks * advances[..., None]
    inputs = F.pad(words, (size, size)).unfold(-1, size, 1)
    clip, word = (torch.arange(n, device=device) for n in words.shape[:2])
    frames = inputs[clip[:, None, None], word[:, None], first.clamp(-size, length) + size]
    return (frames @ matrix).flatten(2)[..., :length]
