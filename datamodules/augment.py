"""Batched augmentation: small modules, combined by `Augment`.

Random numbers are drawn once for the whole batch, on its device, from the `generator` (None: torch's default one); the
four resolutions of a clip share them. Waveforms are `(B, T)`, features `(B, C, F, T)`, targets `(B, num_classes)`.

Source: the winning notebook, class CustomDataset.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from overlapped_words.settings.fields import Count, Fraction, Index, NotNegative, Pair


def _mask(size: int, max_width: int, batch_size: int, device: torch.device, generator: Generator | None) -> Tensor:
    """`(B, size)` bool, true on one band per clip: width u * max_width, start v * (size - width), both floored.

    This is the distribution of torchaudio's `mask_along_axis_iid`.
    """
    u = torch.rand(2, batch_size, 1, device=device, generator=generator)
    width = u[0] * max_width
    start = (u[1] * (size - width)).long()
    position = torch.arange(size, device=device)
    return (position >= start) & (position < start + width.long())


def colored_noise(exponents: Tensor, length: int, generator: Generator | None = None) -> Tensor:
    """Noise whose power falls with frequency as f^-a: exponents a `(B, 1)` -> `(B, length)`, of any level.

    0 is white noise, 1 pink, 2 brown.
    """
    shape = (exponents.shape[0], length)
    spectrum = torch.fft.rfft(torch.randn(shape, device=exponents.device, generator=generator))
    frequency = torch.arange(spectrum.shape[1], device=exponents.device).clamp(min=1)
    return torch.fft.irfft(spectrum * frequency ** (-exponents / 2), n=length)


class AddNoise(nn.Module):
    """Add noise to waveforms.

    The power of the noise falls with frequency as f^-a, with a uniform between 0 (white) and 2 (brown).

    Args:
        snr_db: range of the signal-to-noise ratio in dB, uniform.
        p: probability that a waveform gets noise.
    """

    def __init__(self, snr_db: Pair, p: Fraction) -> None:
        super().__init__()
        self.snr_db, self.p = tuple(snr_db), p

    def forward(self, waveforms: Tensor, generator: Generator | None = None) -> Tensor:
        (batch_size, length), device = waveforms.shape, waveforms.device
        u = torch.rand(3, batch_size, 1, device=device, generator=generator)
        noise = colored_noise(2 * u[0], length, generator)
        low, high = self.snr_db
        snr = 10 ** ((low + (high - low) * u[1]) / 10)
        power = waveforms.square().mean(dim=1, keepdim=True) / noise.square().mean(dim=1, keepdim=True)
        return waveforms + noise * (power / snr).sqrt() * (u[2] < self.p)


class SpecAugment(nn.Module):
    """Set bands of frequency and spans of time to zero, the mean of the features.

    Args:
        freq_mask_param: the width of a frequency mask is uniform in [0, freq_mask_param) bands.
        time_mask_param: the width of a time mask is uniform in [0, time_mask_param) frames.
        freq_masks, time_masks: number of masks.

    Source: arXiv 1904.08779, with the notebook's sizes.
    """

    def __init__(self, freq_mask_param: Index, time_mask_param: Index, freq_masks: Index, time_masks: Index) -> None:
        super().__init__()
        self.freq_mask_param, self.time_mask_param = freq_mask_param, time_mask_param
        self.freq_masks, self.time_masks = freq_masks, time_masks

    def forward(self, features: Tensor, generator: Generator | None = None) -> Tensor:
        batch_size, _, num_mels, num_frames = features.shape
        masked = torch.zeros(batch_size, 1, num_mels, num_frames, dtype=torch.bool, device=features.device)
        for _ in range(self.freq_masks):
            mask = _mask(num_mels, self.freq_mask_param, batch_size, features.device, generator)
            masked |= mask[:, None, :, None]
        for _ in range(self.time_masks):
            mask = _mask(num_frames, self.time_mask_param, batch_size, features.device, generator)
            masked |= mask[:, None, None, :]
        return features * ~masked


class RandomCrop(nn.Module):
    """Zero-pad all four sides by `padding` and crop to the original size at offsets uniform in [0, 2 * padding)."""

    def __init__(self, padding: Count) -> None:
        super().__init__()
        self.padding = padding

    def forward(self, features: Tensor, generator: Generator | None = None) -> Tensor:
        batch_size, _, num_mels, num_frames = features.shape
        padded = F.pad(features, [self.padding] * 4)
        top, left = torch.randint(2 * self.padding, (2, batch_size), device=features.device, generator=generator)
        # A view of all crops, (B, C, 2 * padding + 1, 2 * padding + 1, F, T); indexing copies one crop per clip.
        crops = padded.unfold(2, num_mels, 1).unfold(3, num_frames, 1)
        clip = torch.arange(batch_size, device=features.device)
        return crops[clip, :, top, left]


class RandomWarp(nn.Module):
    """Stretch and shift features on both axes, which simulates other speakers: voice on frequency, tempo on time.

    Interpolation is bilinear, in float32; values from outside are zero, the mean of the features.

    Args:
        freq_scale, time_scale: an axis is scaled by a factor log-uniform in [1 / (1 + scale), 1 + scale].
        freq_shift, time_shift: an axis is shifted by a fraction of its length uniform in [-shift, shift].

    Source: vocal tract length perturbation (Jaitly and Hinton, ICML workshop 2013) and speed perturbation (Ko et al.,
    Interspeech 2015), here applied to features, where one resampling does both.
    """

    def __init__(
        self, freq_scale: NotNegative, time_scale: NotNegative, freq_shift: Fraction, time_shift: Fraction
    ) -> None:
        super().__init__()
        self.freq_scale, self.time_scale = freq_scale, time_scale
        self.freq_shift, self.time_shift = freq_shift, time_shift

    def forward(self, features: Tensor, generator: Generator | None = None) -> Tensor:
        u = 2 * torch.rand(4, len(features), device=features.device, generator=generator) - 1
        affine = torch.zeros(len(features), 2, 3, device=features.device)  # coordinates in [-1, 1], time first
        affine[:, 0, 0], affine[:, 1, 1] = (1 + self.time_scale) ** u[0], (1 + self.freq_scale) ** u[1]
        affine[:, 0, 2], affine[:, 1, 2] = 2 * self.time_shift * u[2], 2 * self.freq_shift * u[3]
        grid = F.affine_grid(affine, list(features.shape), align_corners=False)
        return F.grid_sample(features.float(), grid, align_corners=False)


class Mixup(nn.Module):
    """Mix augmented clips with clips that are not augmented, features and targets alike.

    The other clip is the neighbor in the batch. Batches are shuffled, so this is as random as a clip from the whole
    training set, and its features are already computed.

    Args:
        p: probability that a clip is mixed.
        low, high: the weight of the other clip is uniform in [low, high].
    """

    def __init__(self, p: Fraction, low: Fraction, high: Fraction) -> None:
        super().__init__()
        self.p, self.low, self.high = p, low, high

    def forward(
        self, augmented: Tensor, clean: Tensor, targets: Tensor, generator: Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        u = torch.rand(2, len(clean), device=clean.device, generator=generator)
        weight = (self.low + (self.high - self.low) * u[0]) * (u[1] < self.p)
        share = (1 - weight).to(augmented.dtype).view(-1, 1, 1, 1)
        mixed = clean.roll(1, dims=0).to(augmented.dtype).lerp_(augmented, share)
        return mixed, targets.lerp(targets.roll(1, dims=0), weight.view(-1, 1))


class Transforms(nn.ModuleList):
    """Modules that are applied in order, with one generator."""

    def forward(self, batch: Tensor, generator: Generator | None = None) -> Tensor:
        for transform in self:
            batch = transform(batch, generator)
        return batch


class Augment(nn.Module):
    """Apply transforms in order, then mixup: `(features, targets)` -> `(features, targets)`, float32.

    Features in float16, as in the cache, are converted at the end, which halves the memory traffic.

    Args:
        transforms: modules on features `(B, C, F, T)`.
        mixup: mixes clips after the transforms; None leaves it out.
        waveforms: modules on waveforms `(B, T)`; the data module applies them before it computes features.
    """

    def __init__(
        self, transforms: Sequence[nn.Module] = (), mixup: Mixup | None = None, waveforms: Sequence[nn.Module] = ()
    ) -> None:
        super().__init__()
        self.waveforms = Transforms(waveforms)
        self.transforms = Transforms(transforms)
        self.mixup = mixup

    @torch.no_grad()
    def forward(self, features: Tensor, targets: Tensor, generator: Generator | None = None) -> tuple[Tensor, Tensor]:
        augmented = self.transforms(features, generator)
        if self.mixup is not None:
            augmented, targets = self.mixup(augmented, features, targets, generator)
        return augmented.float(), targets
