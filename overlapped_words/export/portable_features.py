"""The front end for runtimes without a fast Fourier transform, such as onnxruntime."""

from math import gcd
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch._higher_order_ops.scan import scan

from datamodules.features import MultiResolutionMel

RADIX = 32  # 16 and 64 were slower
BANDS_PER_BLOCK = 16


class PortableMel(nn.Module):
    """The features of a MultiResolutionMel from matrix products: waveform `(B, T)` -> `(B, C, F, frames)`.

    Every bin is a sum over all samples of the window, so quiet bands are as accurate as with an FFT. The last axis of
    all intermediate tensors is the frame: every step is a product of large matrices, without transposed copies.
    """

    slope: Tensor

    def __init__(self, mel: MultiResolutionMel) -> None:
        super().__init__()
        self.n_fft, self.hop_length, self.pad = mel.n_fft, mel.hop_length, mel.pad
        self.length = max(mel.win_lengths)
        self.start = (mel.n_fft - self.length) // 2  # of the longest window in its n_fft samples
        windows = map(torch.hann_window, mel.win_lengths)
        self.transforms = nn.ModuleList(FoldedDFT(window, mel.n_fft, self.start) for window in windows)
        bins = bin_numbers(mel.n_fft)
        weights = mel.mel_weights()[bins] / bins.bincount()[bins][:, None]  # some bins occur twice
        self.blocks: list[slice] = []  # a band covers few bins: multiply blocks of bands
        for i, block in enumerate(weights.split(BANDS_PER_BLOCK, dim=1)):
            used = block.sum(dim=1).nonzero().flatten()
            self.blocks.append(slice(int(used[0]), int(used[-1]) + 1))
            self.register_buffer(f"fbanks_{i}", block[self.blocks[-1]].T.contiguous(), persistent=False)
        self.register_buffer("slope", mel.slope, persistent=False)

    @torch.no_grad()
    def forward(self, waveform: Tensor) -> Tensor:
        padded = F.pad(waveform, (self.pad, self.pad))
        padded = F.pad(padded, (self.n_fft // 2, self.n_fft // 2), mode="reflect")
        num_frames = (padded.shape[-1] - self.n_fft) // self.hop_length - 1
        # Of the frame at row t, sample n is in row t + n // hop, column n % hop.
        hops = -(-self.length // self.hop_length)
        start = self.start + self.hop_length  # without the first frame
        end = start + (num_frames + hops - 1) * self.hop_length
        padded = F.pad(padded, (0, max(0, end - padded.shape[-1])))
        rows = padded[:, start:end].unflatten(1, (num_frames + hops - 1, self.hop_length))

        def step(unused: Tensor, clip: Tensor) -> tuple[Tensor, Tensor]:
            frames = torch.cat([clip.T[:, i : i + num_frames] for i in range(hops)])  # (samples, frames)
            return unused.clone(), self._features(frames)

        return scan(step, waveform.new_zeros(1), rows.contiguous())[1]  # one clip at a time fits the CPU cache

    def _features(self, frames: Tensor) -> Tensor:
        """Frames `(samples, frames)` of one waveform -> its features `(C, F, frames)`."""
        power = torch.stack([transform(frames) for transform in self.transforms])  # (C, bins, frames)
        bands = [getattr(self, f"fbanks_{i}") @ power[:, block] for i, block in enumerate(self.blocks)]
        decibel = 10 * torch.cat(bands, dim=1).clamp(min=1e-10).log10()
        return (decibel - decibel.mean(dim=(1, 2), keepdim=True)) / 20 + self.slope


class FoldedDFT(nn.Module):
    """Frames `(samples, frames)` -> power spectra `(bins, frames)` of one window; `bin_numbers` names the bins.

    A symmetric window folds the DFT in half: with m the time from its center, the real part of a bin is a transform of
    x(m) + x(-m), the imaginary part one of x(m) - x(-m).

    Each has two stages. With N = radix * N1 and bin k = k1 + N1 * k2, the angle 2 pi k m / N is a + b, where
    a = 2 pi k1 m / N, and b = 2 pi k2 m / radix depends on m modulo radix alone. The first stage sums the products with
    cos(a) and sin(a) over all m that are equal modulo radix up to their sign; the second multiplies these sums with
    cos(b) and sin(b). For a real signal, k1 = 0..N1/2 with all k2 give each bin or its conjugate, of the same power.

    Source: Cooley and Tukey, An Algorithm for the Machine Calculation of Complex Fourier Series, 1965.

    Args:
        window: periodic Hann.
        n_fft: FFT size, in samples.
        start: position in the n_fft samples of the first row of the frames.
    """

    after: Tensor  # rows of x(m), flattened
    before: Tensor  # rows of x(-m)

    def __init__(self, window: Tensor, n_fft: int, start: int) -> None:
        super().__init__()
        radix, half = gcd(n_fft, RADIX), len(window) // 2
        fraction = len(window) % 2 / 2  # the center of an odd window is between two samples
        time = torch.arange(half) + fraction  # m
        residues = torch.arange(int(radix / 2 - fraction) + 1) + fraction
        groups = [(((time - r) % radix == 0) | ((time + r) % radix == 0)).nonzero().flatten() for r in residues]
        index = nn.utils.rnn.pad_sequence(groups, batch_first=True)  # (groups, size)
        used = nn.utils.rnn.pad_sequence([torch.ones(len(group)) for group in groups], batch_first=True)
        scale = window.double()[len(window) - half + index] * used
        scale[time[index] == 0] /= 2  # x(0) + x(0)
        m = time[index].double()
        m = torch.where((m - residues[:, None]) % radix == 0, m, -m)
        a = 2 * torch.pi * m[:, None] * torch.arange(n_fft // radix // 2 + 1)[:, None] / n_fft  # (groups, k1, size)
        b = 2 * torch.pi * residues.double() * block_order(radix)[:, None] / radix  # (k2, groups)
        first = torch.cat([a.cos(), a.sin()], dim=1) * scale[:, None]
        constants = {
            "first_real": first,
            "first_imag": first * m.sign()[:, None],
            "second_real": torch.stack([b.cos(), -b.sin()], dim=2).flatten(1),
            "second_imag": torch.stack([b.sin(), b.cos()], dim=2).flatten(1),
        }
        for name, constant in constants.items():
            self.register_buffer(name, constant.float(), persistent=False)
        center = (n_fft - len(window)) // 2 - start + half
        self.register_buffer("after", (center + len(window) % 2 + index).flatten().int(), persistent=False)
        self.register_buffer("before", (center - index).flatten().int(), persistent=False)

    def forward(self, frames: Tensor) -> Tensor:
        after, before = frames.index_select(0, self.after), frames.index_select(0, self.before)
        real, imag = self._transform(after + before, "real"), self._transform(after - before, "imag")
        return (real * real + imag * imag).view(-1, frames.shape[1])

    def _transform(self, samples: Tensor, part: str) -> Tensor:
        """Folded samples `(groups x size, frames)` -> that part of all bins, `(k2, k1 x frames)`."""
        first: Any = getattr(self, f"first_{part}")
        second: Any = getattr(self, f"second_{part}")
        sums = first @ samples.view(len(first), -1, samples.shape[1])  # (groups, cos and sin of all k1, frames)
        return second @ sums.view(2 * len(first), -1)


def block_order(radix: int) -> Tensor:
    """k2 of each block of bins, in the order of their frequencies: 0, -1, 1, -2, ..."""
    k2 = torch.arange(radix)
    return torch.stack([k2, radix - 1 - k2], dim=1).flatten()[:radix]


def bin_numbers(n_fft: int) -> Tensor:
    """The bin that each row of FoldedDFT's output holds."""
    radix = gcd(n_fft, RADIX)
    rows = n_fft // radix
    bins = (torch.arange(rows // 2 + 1) + rows * block_order(radix)[:, None]).flatten()
    return torch.minimum(bins, n_fft - bins)
