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
VALUES_IN_CACHE = 350_000  # of a spectrum, 1.4 MB


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

    def __init__(
        self,
        sample_rate: Literal[16_000] = 16_000,
        n_fft: Annotated[int, Ge(16), Le(32_768)] = 2048,
        win_lengths: Annotated[Sequence[Count], MinLen(1), MaxLen(64)] = (250, 500, 750, 1000),
        hop_length: Annotated[int, Ge(1), Le(16_000)] = 100,
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
        for win_length in self.win_lengths:
            self.register_buffer(f"window_{win_length}", torch.hann_window(win_length), persistent=False)

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
            if padded.device.type != "cpu":
                return self._spectrograms(padded)
            num_values = self._num_frames(padded) * (self.n_fft + 2)  # of the spectrum of a clip
            chunks = padded.split(max(1, VALUES_IN_CACHE // num_values))
            return torch.cat([self._spectrograms(chunk) for chunk in chunks])

    def _spectrograms(self, padded: Tensor) -> Tensor:
        """Padded waveforms `(B, T')` -> features `(B, C, F, frames)`."""
        return torch.stack([self._spectrogram(padded, win_length) for win_length in self.win_lengths], dim=1)

    def _num_frames(self, padded: Tensor) -> int:
        # The notebook drops the first and the last frame.
        return (padded.shape[-1] - self.n_fft) // self.hop_length - 1

    def _spectrogram(self, padded: Tensor, win_length: int) -> Tensor:
        """Padded waveforms `(B, T')` -> features of one resolution, `(B, F, frames)`."""
        # A short window is centered in its n_fft samples. Zeros in front of it only change the phase, which the power
        # ignores: transform the windowed samples alone, and let the FFT pad at the end.
        # Without the first frame: start one hop later.
        start = (self.n_fft - win_length) // 2 + self.hop_length
        num_frames = self._num_frames(padded)
        frames = padded[:, start:].unfold(-1, win_length, self.hop_length)[:, :num_frames]
        spectrum = self._spectrum(frames * getattr(self, f"window_{win_length}"))
        # (B * frames, n_fft + 2) of re, im, re, im, ...: the product with fbanks sums re^2 + im^2 over a band's bins.
        squares = spectrum.square_().view(-1, spectrum.shape[-1])
        mel = torch.cat([squares[:, bins] @ getattr(self, f"fbanks_{i}") for i, bins in enumerate(self.bins)], dim=1)
        decibel = 10 * mel.view(padded.shape[0], num_frames, -1).clamp(min=1e-10).log10().transpose(1, 2)
        return (decibel - decibel.mean(dim=(1, 2), keepdim=True)) / 20 + self.slope

    def _spectrum(self, frames: Tensor) -> Tensor:
        """Windowed frames `(..., win_length)` -> re, im, re, im, ... of all bins, `(..., n_fft + 2)`."""
        return torch.view_as_real(torch.fft.rfft(frames, n=self.n_fft)).flatten(-2)
