"""RandomWarp and AddNoise have the documented distributions, tested over thousands of clips."""

import numpy as np
import pytest
import torch
from torch import Tensor

from datamodules.augment import AddNoise, RandomWarp
from tests.helpers.distributions import assert_share, assert_uniform_between
from tests.helpers.recipe import of_recipe

IDENTITY = {"freq_scale": 0, "time_scale": 0, "freq_shift": 0, "time_shift": 0}


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def center(features: Tensor) -> tuple[Tensor, Tensor]:
    """Features `(B, 1, F, T)` with one peak -> row and column of its center, `(B,)` each."""
    share = features[:, 0] / features[:, 0].sum(dim=(1, 2), keepdim=True)
    position = torch.arange(features.shape[-1]).float()
    return (share.sum(dim=2) * position).sum(dim=1), (share.sum(dim=1) * position).sum(dim=1)


@pytest.mark.parametrize(("axis", "setting"), [(0, "freq_shift"), (1, "time_shift")])
def test_shifts_are_uniform_on_their_own_axis(axis, setting):
    features = torch.zeros(2000, 1, 41, 41)
    features[:, :, 20, 20] = 1
    centers = center(RandomWarp(**{**IDENTITY, setting: 0.2})(features))
    assert_uniform_between(centers[axis].numpy(), 20 - 0.2 * 41, 20 + 0.2 * 41)
    torch.testing.assert_close(centers[1 - axis], torch.full((2000,), 20.0), atol=1e-3, rtol=0)


@pytest.mark.parametrize(("axis", "setting"), [(0, "freq_scale"), (1, "time_scale")])
def test_scales_are_log_uniform_about_the_middle(axis, setting):
    bump = torch.exp(-((torch.arange(81.0) - 56) ** 2) / 18)  # 16 from the middle, and wide enough for interpolation
    features = torch.outer(bump, bump).expand(2000, 1, 81, 81)
    centers = center(RandomWarp(**{**IDENTITY, setting: 0.25})(features))
    limit = np.log(1.25) + 1e-4  # error of interpolation
    assert_uniform_between(np.log((centers[axis].numpy() - 40) / 16), -limit, limit)
    torch.testing.assert_close(centers[1 - axis], torch.full((2000,), 56.0), atol=1e-3, rtol=0)


def test_a_warp_accepts_float16_and_is_the_same_for_all_resolutions():
    features = torch.rand(8, 1, 32, 32).half().expand(8, 4, 32, 32)
    augmented = of_recipe(RandomWarp)(features)
    assert augmented.dtype == torch.float32
    torch.testing.assert_close(augmented, augmented[:, :1].expand_as(augmented))
    assert not torch.equal(augmented[0], augmented[1])


def added(n: int, length: int = 2000, **options) -> tuple[Tensor, Tensor]:
    """Waveforms of many levels, and the noise added to them."""
    waveforms = torch.randn(n, length) * torch.logspace(-3, 0, n)[:, None]
    return waveforms, of_recipe(AddNoise, **options)(waveforms) - waveforms


def test_the_signal_to_noise_ratio_is_uniform_in_decibels_at_any_level():
    waveforms, noise = added(4000, snr_db=[-5, 15], p=1.0)
    ratio = 10 * (waveforms.square().mean(dim=1) / noise.square().mean(dim=1)).log10()
    assert_uniform_between(ratio.numpy(), -5.001, 15.001)


def test_a_share_of_the_waveforms_gets_noise():
    _, noise = added(4000, p=0.3)
    assert_share((noise != 0).any(dim=1).numpy(), 0.3)


def test_the_spectral_slope_is_uniform_from_white_to_brown():
    _, noise = added(3000, length=4096, snr_db=[0, 0], p=1.0)
    power = torch.fft.rfft(noise).abs().square()
    frequency = torch.arange(power.shape[1])
    octaves = [power[:, (frequency >= low) & (frequency < 2 * low)].mean(dim=1) for low in (64, 128, 256, 512, 1024)]
    heights = torch.stack(octaves, dim=1).log2()
    slopes = -np.polyfit(np.arange(5), heights.T.numpy(), 1)[0]
    assert_uniform_between(slopes[(slopes > 0.1) & (slopes < 1.9)], 0.1, 1.9, bins=10)
    assert slopes.min() > -0.2 and slopes.max() < 2.2
    assert abs(slopes.mean() - 1) < 0.05
