"""Render mixtures: several waveforms, each with its level, time and speed, in one clip."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

BLOCK = 80  # samples; speeds are multiples of 1 / BLOCK


def mix(words: Tensor, gains: Tensor, offsets: Tensor, speeds: Tensor, levels: Tensor | None = None) -> Tensor:
    """Single words `(B, k, T)`; gains, offsets and speeds `(B, k)` -> mixtures `(B, T)` in [-1, 1] with peak 0.9.

    A negative speed plays a word backward.
    Words are first divided by their RMS `levels` `(B, k)`, so a gain is a ratio between words whatever their recording
    levels; where these are 0, or not given, by the RMS of the samples.
    `words` may be on a GPU; the other arguments are on the CPU, so that nothing is read back from the GPU.
    """
    words = words.float()
    if (speeds < 0).any():
        words = torch.where(to_device(speeds < 0, words.device)[..., None], words.flip(-1), words)
        speeds = speeds.abs()
    level = words.square().mean(dim=-1).sqrt()
    if levels is not None:
        levels = to_device(levels, words.device)
        level = torch.where(levels > 0, levels, level)
    level = level.clamp(min=1e-6)
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
