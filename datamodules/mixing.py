"""Render mixtures: several waveforms, each with its level, time and speed, in one clip."""

import math
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

BLOCK = 80  # samples; speeds are multiples of 1 / BLOCK
UNITS = 2 * BLOCK  # of positions: a word is played about its middle, which may be half a sample


def mix(
    words: Tensor,
    gains: Tensor,
    offsets: Tensor,
    speeds: Tensor,
    levels: Tensor | None = None,
    *,
    max_speed: float = 1.0,
) -> Tensor:
    """Single words `(B, k, T)`; gains, offsets and speeds `(B, k)` -> mixtures `(B, T)` in [-1, 1] with peak 0.9.

    Words are played at their speeds, at most `max_speed`, about their middle, a negative speed backward, shifted by
    their offsets, and filled with zeros. They are first divided by their RMS `levels` `(B, k)`, so a gain is a ratio
    between words whatever their recording levels; where these are 0, or not given, by the RMS of the samples.

    Speeds are rounded to multiples of 1 / BLOCK. A block of BLOCK output samples then advances by a whole number of
    input samples, so all blocks of a word are interpolated by the same matrix: a product is faster than gathering four
    neighbors per sample, and also sums the words. Interpolation is cubic (Catmull-Rom), which attenuates by 1 dB at a
    quarter of the sample rate.
    """
    words = words.float()
    (clips, k, length), device = words.shape, words.device
    size = round(max_speed * BLOCK) + 4  # input samples that a block depends on, at most
    level = torch.linalg.vector_norm(words, dim=-1) / math.sqrt(length)
    if levels is not None:
        level = torch.where(levels > 0, levels, level)
    gains, offsets, speeds = (each.view(clips, k, 1, 1) for each in (gains / level.clamp(min=1e-6), offsets, speeds))
    advances = (speeds * BLOCK).round().long()  # input samples per block
    # The input position of the first sample, in units: T / 2 - (T / 2 + offset) * speed samples after the padding.
    start = (length * BLOCK + size * UNITS - length * advances).addcmul(offsets, advances, value=-2)
    behind = advances.clamp(max=0)  # a block that is played backward begins before its first sample
    interpolation, neighbors, samples = _constants(device)
    positions = (start % UNITS).sub(behind, alpha=UNITS).addcmul(samples, advances, value=2)  # (B, k, 1, BLOCK)
    weights = interpolation[neighbors, positions % UNITS] * gains  # (B, k, 4, BLOCK)
    matrix = words.new_zeros(clips, k, size, BLOCK).scatter_(2, positions // UNITS + neighbors, weights)
    # The first neighbor of each block, (B, blocks, k): one sample before the block and, backward, another one, as the
    # middle is after sample T / 2 - 1. Blocks outside of the word read zeros.
    blocks = torch.arange(math.ceil(length / BLOCK), device=device)[:, None]
    first = (start // UNITS + (advances - 2).clamp(max=-1)).view(clips, 1, k)
    first = first.addcmul(blocks, advances.view(clips, 1, k)).clamp(0, length + size)
    inputs = F.pad(words, (size, size)).unfold(-1, size, 1)
    clip, word = torch.arange(clips, device=device).view(-1, 1, 1), torch.arange(k, device=device)
    frames = inputs[clip, word, first].flatten(2)  # (B, blocks, k * size)
    mixture = torch.bmm(frames, matrix.flatten(1, 2)).flatten(1)[:, :length]
    return mixture * (0.9 / torch.linalg.vector_norm(mixture, math.inf, dim=1, keepdim=True).clamp(min=1e-6))


@cache
def _constants(device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """The weights of a position's four neighbors, `(4, UNITS)`, by its fraction of a sample; their numbers; samples."""
    u = torch.arange(UNITS, dtype=torch.float64) / UNITS
    weights = [((2 - u) * u - 1) * u, (3 * u - 5) * u * u + 2, ((4 - 3 * u) * u + 1) * u, (u - 1) * u * u]
    interpolation = (torch.stack(weights) / 2).float()
    return interpolation.to(device), torch.arange(4, device=device)[:, None], torch.arange(BLOCK, device=device)


def to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """Copy a CPU tensor to `device`; to a GPU from pinned memory, so that the host does not wait for queued work."""
    tensor = tensor.pin_memory() if device.type == "cuda" else tensor
    return tensor.to(device, non_blocking=True)
