"""The front end for runtimes without a fast Fourier transform, such as onnxruntime."""

from math import gcd

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch._higher_order_ops.scan import scan

from datamodules.features import MultiResolutionMel

RADIX = 16  # 8 and 32 were slower
BANDS_PER_BLOCK = 16


class PortableMel(nn.Module):
    """The features of a MultiResolutionMel from matrix products: waveform `(B, T)` -> `(B, C, F, frames)`.

    The DFT of N = RADIX * N1 samples is computed in two stages. With n = RADIX * n1 + n2 and W_N = exp(-2 pi i / N),
    bin k1 + N1 * k2 is the sum over n2 of W_RADIX^(n2 * k2) times the sum over n1 of x[n] W_N^(n * k1). For a real
    signal, k1 = 0..N1/2 with all k2 give each bin or its conjugate, which has the same power.

    Every bin is a sum over all samples of the window, so quiet bands are as accurate as with an FFT.

    Source: Cooley and Tukey, An Algorithm for the Machine Calculation of Complex Fourier Series, 1965.
    """

    fourier: Tensor
    combine: Tensor
    slope: Tensor

    def __init__(self, mel: MultiResolutionMel) -> None:
        super().__init__()
        self.n_fft, self.hop_length, self.pad, self.win_lengths = mel.n_fft, mel.hop_length, mel.pad, mel.win_lengths
        self.radix = gcd(mel.n_fft, RADIX)
        rows = mel.n_fft // self.radix  # N1
        self.num_k1 = rows // 2 + 1
        self.n1 = {win_length: -(-win_length // self.radix) for win_length in self.win_lengths}
        n, k1, k2 = (torch.arange(size) for size in (max(self.n1.values()) * self.radix, self.num_k1, self.radix))
        # Rows k2 = 0, -1, 1, -2, ...: bins of similar frequency are neighbors.
        order = torch.stack([k2, self.radix - 1 - k2], dim=1).flatten()[: self.radix]

        cos, sin = _roots(n[:, None] * k1, mel.n_fft)
        self._add("fourier", torch.cat([cos, -sin], dim=1).unflatten(0, (-1, self.radix)).transpose(0, 1))
        cos, sin = _roots(order[:, None] * k2, self.radix)
        parts = [torch.stack([cos, sin], dim=2), torch.stack([-sin, cos], dim=2)]
        self._add("combine", torch.stack([part.flatten(1) for part in parts], dim=1).flatten(0, 1))
        for win_length, num_rows in self.n1.items():
            window = F.pad(getattr(mel, f"window_{win_length}"), (0, num_rows * self.radix - win_length))
            self._add(f"window_{win_length}", window.view(-1, self.radix, 1).transpose(0, 1))

        bins = (k1 + rows * order[:, None]).flatten()
        bins = torch.minimum(bins, mel.n_fft - bins)
        weights = mel.mel_weights()[bins]
        weights /= bins.bincount()[bins][:, None]  # bins of k1 = 0 and N1/2 occur twice
        weights = weights.unflatten(0, (self.radix, 1, -1)).expand(-1, 2, -1, -1).flatten(0, 2)  # re and im
        self.blocks: list[slice] = []
        for i, block in enumerate(weights.split(BANDS_PER_BLOCK, dim=1)):
            used = block.sum(dim=1).nonzero().flatten()
            self.blocks.append(slice(int(used[0]), int(used[-1]) + 1))
            self._add(f"fbanks_{i}", block[self.blocks[-1]])
        self._add("slope", mel.slope)

    def _add(self, name: str, value: Tensor) -> None:
        self.register_buffer(name, value.float().contiguous(), persistent=False)

    @torch.no_grad()
    def forward(self, waveform: Tensor) -> Tensor:
        # Constant: a runtime computes them once. The file contains the matrix of the longest window only.
        matrices = [self.fourier[:, :n1] * getattr(self, f"window_{length}") for length, n1 in self.n1.items()]

        def step(unused: Tensor, clip: Tensor) -> tuple[Tensor, Tensor]:
            return unused.clone(), self._features(clip[None], matrices)[0]

        return scan(step, waveform.new_zeros(1), waveform)[1]  # one clip at a time fits the CPU cache

    def _features(self, waveform: Tensor, matrices: list[Tensor]) -> Tensor:
        """One waveform `(1, T)` -> its features `(1, C, F, frames)`."""
        padded = F.pad(waveform, (self.pad, self.pad))
        padded = F.pad(padded, (self.n_fft // 2, self.n_fft // 2), mode="reflect")
        num_frames = (padded.shape[-1] - self.n_fft) // self.hop_length - 1
        # Frames of the longest window: rows of hop_length samples, each followed by the next rows.
        longest = max(self.win_lengths)
        start = (self.n_fft - longest) // 2
        hops = -(-max(self.n1.values()) * self.radix // self.hop_length)
        first, last = start + self.hop_length, start + (num_frames + hops) * self.hop_length
        padded = F.pad(padded, (0, max(0, last - padded.shape[-1])))
        rows = padded[0, first:last].view(-1, self.hop_length)
        frames = torch.cat([rows[i : i + num_frames] for i in range(hops)], dim=1)
        resolutions = []
        for (win_length, n1), matrix in zip(self.n1.items(), matrices, strict=True):
            offset = (self.n_fft - win_length) // 2 - start
            window = frames[:, offset : offset + n1 * self.radix]
            resolutions.append(self._spectrogram(window.reshape(num_frames, n1, self.radix), matrix))
        return torch.stack(resolutions)[None]

    def _spectrogram(self, frames: Tensor, matrix: Tensor) -> Tensor:
        """Frames `(frames, n1, radix)` -> features of one resolution, `(F, frames)`."""
        sums = frames.permute(2, 0, 1) @ matrix  # (n2, frames, re and im of k1)
        sums = sums.transpose(0, 1).reshape(len(frames), 2 * self.radix, self.num_k1)
        spectrum = (self.combine @ sums).flatten(1)  # (frames, re and im of each k2 * k1)
        squares = spectrum * spectrum
        mel = torch.cat([squares[:, b] @ getattr(self, f"fbanks_{i}") for i, b in enumerate(self.blocks)], dim=1)
        decibel = 10 * mel.clamp(min=1e-10).log10().T
        return (decibel - decibel.mean()) / 20 + self.slope[0]


def _roots(turns: Tensor, n: int) -> tuple[Tensor, Tensor]:
    """Cosine and sine of 2 pi `turns` / n, float64."""
    angles = 2 * torch.pi * (turns % n).double() / n
    return angles.cos(), angles.sin()
