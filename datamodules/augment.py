"""Augmentation of a batch: small modules, put together by `Augment`.

Every draw is made once for the whole batch, on the batch's device, from torch's default generator there; the four
resolutions of a clip share it. Waveforms are `(B, T)`, features `(B, C, F, T)`, targets `(B, num_classes)`.

Source: the winning notebook, class CustomDataset.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def _mask(size: int, max_width: int, batch_size: int, device: torch.device) -> Tensor:
    """`(B, size)`, True on a band. torchaudio's law: width u * max_width, start v * (size - width), floored."""
    u = torch.rand(2, batch_size, 1, device=device)
    width = u[0] * max_width
    start = (u[1] * (size - width)).long()
    position = torch.arange(size, device=device)
    return (position >= start) & (position < start + width.long())


class AddNoise(nn.Module):
    """With probability `p`, add noise to a waveform, at a signal-to-noise ratio uniform in least .. most dB.

    Its power falls with frequency as f^-a, a uniform in 0 (white) .. 2 (brown): hiss, wind and rumble.
    """

    def __init__(self, snr_db: Sequence[float] = (5.0, 30.0), p: float = 0.5) -> None:
        super().__init__()
        self.snr_db, self.p = tuple(snr_db), p

    def forward(self, waveforms: Tensor) -> Tensor:
        batch_size, length = waveforms.shape
        u = torch.rand(3, batch_size, 1, device=waveforms.device)
        spectrum = torch.fft.rfft(torch.randn_like(waveforms))
        frequency = torch.arange(spectrum.shape[1], device=waveforms.device).clamp(min=1)
        noise = torch.fft.irfft(spectrum * frequency ** -u[0], n=length)
        least, most = self.snr_db
        snr = 10 ** ((least + (most - least) * u[1]) / 10)
        power = waveforms.square().mean(dim=1, keepdim=True) / noise.square().mean(dim=1, keepdim=True)
        return waveforms + noise * (power / snr).sqrt() * (u[2] < self.p)


class SpecAugment(nn.Module):
    """Zeros on `freq_masks` bands of frequency and `time_masks` stretches of time, narrower than their maximum widths.

    Source: arXiv 1904.08779, with the notebook's sizes.
    """

    def __init__(
        self, freq_mask_param: int = 32, time_mask_param: int = 12, freq_masks: int = 1, time_masks: int = 2
    ) -> None:
        super().__init__()
        self.freq_mask_param, self.time_mask_param = freq_mask_param, time_mask_param
        self.freq_masks, self.time_masks = freq_masks, time_masks

    def forward(self, features: Tensor) -> Tensor:
        batch_size, _, num_mels, num_frames = features.shape
        hidden = torch.zeros(batch_size, 1, num_mels, num_frames, dtype=torch.bool, device=features.device)
        for _ in range(self.freq_masks):
            hidden |= _mask(num_mels, self.freq_mask_param, batch_size, features.device)[:, None, :, None]
        for _ in range(self.time_masks):
            hidden |= _mask(num_frames, self.time_mask_param, batch_size, features.device)[:, None, None, :]
        return features * ~hidden


class RandomCrop(nn.Module):
    """Zero-pad all four sides by `padding`, crop to the former size at offsets uniform in 0 .. 2 * padding - 1."""

    def __init__(self, padding: int = 32) -> None:
        super().__init__()
        self.padding = padding

    def forward(self, features: Tensor) -> Tensor:
        batch_size, _, num_mels, num_frames = features.shape
        padded = F.pad(features, [self.padding] * 4)
        top, left = torch.randint(2 * self.padding, (2, batch_size), device=features.device)
        # All crops of a clip as a view, `(B, C, offsets, offsets, F, T)`; picking one copies just that one.
        crops = padded.unfold(2, num_mels, 1).unfold(3, num_frames, 1)
        clip = torch.arange(batch_size, device=features.device)
        return crops[clip, :, top, left]


class RandomWarp(nn.Module):
    """Stretch and shift both axes: a shorter vocal tract and a higher voice move the bands up, a faster speaker
    squeezes the frames.

    Scales are log-uniform in 1 / (1 + scale) .. 1 + scale, shifts uniform in +-shift, as shares of the axis. What
    comes in from outside is zero, the mean. Interpolation is bilinear; float32.

    Source: vocal tract length perturbation (Jaitly and Hinton, ICML workshop 2013) and speed perturbation (Ko et al.,
    Interspeech 2015), here on the picture, where one resampling does for both.
    """

    def __init__(
        self, freq_scale: float = 0.2, time_scale: float = 0.2, freq_shift: float = 0.05, time_shift: float = 0.1
    ) -> None:
        super().__init__()
        self.freq_scale, self.time_scale = freq_scale, time_scale
        self.freq_shift, self.time_shift = freq_shift, time_shift

    def forward(self, features: Tensor) -> Tensor:
        u = 2 * torch.rand(4, len(features), device=features.device) - 1
        affine = torch.zeros(len(features), 2, 3, device=features.device)  # of coordinates from -1 to 1, time first
        affine[:, 0, 0], affine[:, 1, 1] = (1 + self.time_scale) ** u[0], (1 + self.freq_scale) ** u[1]
        affine[:, 0, 2], affine[:, 1, 2] = 2 * self.time_shift * u[2], 2 * self.freq_shift * u[3]
        grid = F.affine_grid(affine, list(features.shape), align_corners=False)
        return F.grid_sample(features.float(), grid, align_corners=False)


class Mixup(nn.Module):
    """With probability `p`, mix a clip with another that is itself not augmented.

    The other's weight is uniform in [low, high], for features and targets alike. The other is the neighbor in the
    batch before augmentation: batches are shuffled, so it is as random a clip as one drawn from the whole training
    set, and its features are there already.
    """

    def __init__(self, p: float = 0.75, low: float = 0.05, high: float = 0.25) -> None:
        super().__init__()
        self.p, self.low, self.high = p, low, high

    def forward(self, augmented: Tensor, clean: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        u = torch.rand(2, len(clean), device=clean.device)
        weight = (self.low + (self.high - self.low) * u[0]) * (u[1] < self.p)
        share = (1 - weight).to(augmented.dtype).view(-1, 1, 1, 1)
        mixed = clean.roll(1, dims=0).to(augmented.dtype).lerp_(augmented, share)
        return mixed, targets.lerp(targets.roll(1, dims=0), weight.view(-1, 1))


class Augment(nn.Module):
    """The transforms one after the other, then mixup, if any: `(features, targets)` -> `(features, targets)`, float32.

    Features in 16 bit, as they come from the cache, stay so until the end: half the memory to move. `waveforms` are
    transforms for what comes before: whoever computes the features applies them.
    """

    def __init__(
        self, transforms: Sequence[nn.Module] = (), mixup: Mixup | None = None, waveforms: Sequence[nn.Module] = ()
    ) -> None:
        super().__init__()
        self.waveforms = nn.Sequential(*waveforms)
        self.transforms = nn.Sequential(*transforms)
        self.mixup = mixup

    @torch.no_grad()
    def forward(self, features: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        augmented = self.transforms(features)
        if self.mixup is not None:
            augmented, targets = self.mixup(augmented, features, targets)
        return augmented.float(), targets
