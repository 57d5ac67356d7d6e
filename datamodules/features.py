"""The front end: multi-resolution mel spectrograms."""

from collections.abc import Sequence
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from annotated_types import Ge, Le, MaxLen, MinLen
from torch import Tensor, nn
from torchaudio.functional import melscale_fbanks

from overlapped_words.errors import SettingError
from overlapped_words.settings.fields import Count

BANDS_PER_BLOCK = 32
VALUES_IN_CACHE = 350_000  # of the spectra of a chunk of clips, 1.4 MB
VALUES_ON_GPU = 1 << 28  # 1 GB


class MultiResolutionMel(nn.Module):
    """Waveform `(B, T)` in [-1, 1] -> features `(B, len(win_lengths), n_mels, T // hop_length)`, float32.

    One mel spectrogram per window length: short windows have high time resolution, long ones high frequency resolution.
    All share FFT size, hop and mel bands, and so have the same shape. Each is converted to dB, then minus its mean over
    bands and frames, divided by 20, plus a slope from -0.5 (lowest band) to +0.5 (highest).

    Computed in float32 in any autocast context, without gradients. With the default arguments, clips of one second
    (T = 16,000) give `(B, 4, 160, 160)`.

    Args:
        sample_rate: in Hz.
        n_fft: FFT size, in samples.
        win_lengths: window lengths (periodic Hann), in samples.
        hop_length: samples between frames.
        pad: zeros on both sides, in samples.
        f_min, f_max: range of the mel bands, in Hz.
        n_mels: number of mel bands (HTK scale, without area normalization).

    Raises:
        SettingError: a window longer than the FFT, or no range of frequencies.

    Source: the winning notebook, class MRMS.
    """

    slope: Tensor
    windows: Tensor

    def __init__(
        self,
        sample_rate: Literal[16_000] = 16_000,
        n_fft: Annotated[int, Ge(16), Le(32_768)] = 2048,
        win_lengths: Annotated[Sequence[Count], MinLen(1), MaxLen(64)] = (250, 500, 750, 1000),
        hop_length: Annotated[int, Ge(1), Le(8_000)] = 100,
        pad: Annotated[int, Ge(0), Le(16_000)] = 50,
        f_min: Annotated[float, Ge(0), Le(8000)] = 25.0,
        f_max: Annotated[float, Ge(0), Le(8000)] = 7500.0,
        n_mels: Annotated[int, Ge(1), Le(1024)] = 160,
    ) -> None:
        super().__init__()
        if max(win_lengths) > n_fft:
            raise SettingError(
                f"features.n_fft is {n_fft}; give at least the longest of win_lengths, {max(win_lengths)}"
            )
        if f_min >= f_max:
            raise SettingError(f"features.f_min is {f_min}; give a frequency below f_max, {f_max} Hz")
        self.sample_rate = sample_rate
        self.n_fft, self.hop_length, self.pad, self.win_lengths = n_fft, hop_length, pad, tuple(win_lengths)
        self.f_min, self.f_max, self.n_mels = f_min, f_max, n_mels
        # The weights are sparse, because a band covers few bins: multiply blocks of bands, each with only the bins it
        # needs. Each row appears twice, for the real and the imaginary part.
        self.bins: list[slice] = []
        for i, block in enumerate(self.mel_weights().split(BANDS_PER_BLOCK, dim=1)):
            used = block.sum(dim=1).nonzero().flatten()
            first, last = int(used[0]), int(used[-1]) + 1
            self.bins.append(slice(2 * first, 2 * last))
            self.register_buffer(f"fbanks_{i}", block[first:last].repeat_interleave(2, dim=0), persistent=False)
        self.register_buffer("slope", torch.linspace(-0.5, 0.5, n_mels).view(1, n_mels, 1), persistent=False)
        # A window is centered in n_fft samples. Zeros in front of these would only change the phase, which the power
        # ignores: transform the samples of the longest window alone, and let the FFT pad at the end.
        self.start = (n_fft - max(self.win_lengths)) // 2
        windows = torch.zeros(len(self.win_lengths), 1, max(self.win_lengths))
        for window, length in zip(windows[:, 0], self.win_lengths, strict=True):
            first = (n_fft - length) // 2 - self.start
            window[first : first + length] = torch.hann_window(length)
        self.register_buffer("windows", windows, persistent=False)

    def mel_weights(self) -> Tensor:
        """The weight of each FFT bin in each mel band, `(n_fft // 2 + 1, n_mels)`."""
        num_bins, edges = self.n_fft // 2 + 1, (self.f_min, self.f_max)
        return melscale_fbanks(num_bins, *edges, self.n_mels, self.sample_rate, norm=None, mel_scale="htk")

    @torch.no_grad()
    def forward(self, waveform: Tensor) -> Tensor:
        with torch.autocast(waveform.device.type, enabled=False):
            padded = F.pad(waveform.float(), (self.pad, self.pad))
            padded = F.pad(padded, (self.n_fft // 2, self.n_fft // 2), mode="reflect")
            # On a CPU, chunks of a few clips stay in its cache. A GPU is faster with the whole batch.
            limit = VALUES_IN_CACHE if padded.device.type == "cpu" else VALUES_ON_GPU
            num_values = len(self.win_lengths) * self._num_frames(padded) * (self.n_fft + 2)  # of the spectra of a clip
            chunks = padded.split(max(1, limit // num_values))
            return torch.cat([self._spectrograms(chunk) for chunk in chunks])

    def _num_frames(self, padded: Tensor) -> int:
        # The notebook drops the first and the last frame.
        return (padded.shape[-1] - self.n_fft) // self.hop_length - 1

    def _spectrograms(self, padded: Tensor) -> Tensor:
        """Padded waveforms `(B, T')` -> features `(B, C, F, frames)`."""
        start = self.start + self.hop_length  # without the first frame
        frames = padded[:, None, start:].unfold(-1, self.windows.shape[-1], self.hop_length)
        spectrum = torch.fft.rfft(frames[:, :, : self._num_frames(padded)] * self.windows, n=self.n_fft)
        # (B * C * frames, 2 * bins) of re, im, re, im, ...: a product with fbanks sums re^2 + im^2 over a band's bins.
        squares = torch.view_as_real(spectrum).square_().view(-1, 2 * spectrum.shape[-1])
        mel = torch.cat([squares[:, bins] @ getattr(self, f"fbanks_{i}") for i, bins in enumerate(self.bins)], dim=1)
        level = mel.view(*spectrum.shape[:3], -1).clamp(min=1e-10).log10().transpose(2, 3)  # of 10 dB
        return (level - level.mean(dim=(2, 3), keepdim=True)) / 2 + self.slope
