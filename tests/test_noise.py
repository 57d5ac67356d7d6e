"""AddNoise has the documented distributions, tested over thousands of waveforms."""

import numpy as np
import pytest
import torch
from torch import Tensor

from datamodules.augment import AddNoise
from tests.helpers.distributions import assert_share, assert_uniform_between
from tests.helpers.recipe import of_recipe


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


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


def test_silence_stays_silent_and_finite():
    silence = torch.zeros(8, 1000)
    assert torch.equal(of_recipe(AddNoise, p=1.0)(silence), silence)
