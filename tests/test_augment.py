"""Augmentation has the documented distributions, tested over thousands of clips; the winner's recipe is exact."""

import numpy as np
import pytest
import torch
from torch import Tensor
from torchaudio.functional import mask_along_axis_iid

from datamodules.augment import AddNoise, Mixup, RandomCrop, RandomWarp, SpecAugment
from tests.helpers.distributions import assert_same_distribution, assert_share, assert_uniform, assert_uniform_between
from tests.helpers.recipe import of_recipe, winner


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def runs(masked: Tensor) -> Tensor:
    """`(B, size)` bool -> `(B,)`, the number of runs of true."""
    before = torch.cat([torch.zeros_like(masked[:, :1]), masked[:, :-1]], dim=1)
    return (masked & ~before).sum(dim=1)


def measure(features: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Features with one mask each -> its widths, and the starts of those that are not empty."""
    masked = features.flatten(1) == 0
    assert runs(masked).max() == 1
    width = masked.sum(dim=1)
    return width.numpy(), masked.int().argmax(dim=1)[width > 0].numpy()


@pytest.mark.parametrize(("axis", "max_width", "size"), [("freq", 32, 160), ("time", 12, 160), ("time", 12, 12)])
def test_masks_have_torchaudios_distribution(axis, max_width, size):
    features = torch.ones(8000, 1, size, 1)
    masks = of_recipe(SpecAugment, freq_masks=int(axis == "freq"), time_masks=int(axis == "time"))
    width, start = measure(masks(features if axis == "freq" else features.transpose(2, 3)))
    other_width, other_start = measure(mask_along_axis_iid(features, max_width, 0.0, 2))
    assert_same_distribution(width, other_width)
    assert_same_distribution(start, other_start)
    assert start.min() == 0 and start.max() >= size - 3


def test_one_frequency_mask_and_two_time_masks():
    features = of_recipe(SpecAugment)(torch.ones(3000, 1, 48, 64))
    low, late = (features == 0).all(dim=3).squeeze(1), (features == 0).all(dim=2).squeeze(1)
    assert torch.equal(features == 0, low[:, None, :, None] | late[:, None, None, :])  # complete bands only
    assert runs(low).max() == 1 and low.sum(dim=1).max() == 31
    assert runs(late).max() == 2 and 12 <= late.sum(dim=1).max() <= 22
    assert (runs(late) == 2).float().mean() > 0.5
    assert_share((low.sum(dim=1) == 0).numpy(), 1 / 32)


def offsets(crop: RandomCrop, batch_size: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """The offsets of the crop of each clip, from features in which every value is its position."""
    place = torch.arange(1, size * size + 1).float().view(1, 1, size, size)
    cropped = crop(place.expand(batch_size, 2, size, size))
    assert torch.equal(cropped[:, 0], cropped[:, 1])
    value, index = cropped[:, 0].flatten(1).max(dim=1)
    row, column = (value.long() - 1) // size, (value.long() - 1) % size
    return (row - index // size + crop.padding).numpy(), (column - index % size + crop.padding).numpy()


def test_crops_are_parts_of_the_padded_features_and_uniform_on_both_axes():
    parts = [offsets(of_recipe(RandomCrop), 1600, 34) for _ in range(4)]
    top, left = (np.concatenate(part) for part in zip(*parts, strict=True))
    assert_uniform(top, 64)
    assert_uniform(left, 64)
    assert_uniform(top // 16 * 4 + left // 16, 16)  # independent of each other
    features = torch.rand(1, 4, 10, 12) + 1
    padded = torch.nn.functional.pad(features, [4] * 4)[0]
    parts = [padded[:, top : top + 10, left : left + 12] for top in range(8) for left in range(8)]
    for clip in RandomCrop(padding=4)(features.expand(16, 4, 10, 12)):
        assert sum(torch.equal(clip, part) for part in parts) == 1  # the same offset for all four resolutions


def pairs(batch_size: int) -> Tensor:
    """Targets `(B, 2)` that alternate, so that neighbors in the batch differ."""
    return torch.eye(2)[torch.arange(batch_size) % 2]


def test_three_quarters_of_the_clips_are_mixed_with_their_neighbor_by_uniform_weights():
    clean = torch.ones(8000, 1, 1, 1)
    weights = of_recipe(Mixup)(0 * clean, clean, pairs(8000))[0].flatten().numpy()
    assert_share(weights > 0, 0.75)
    assert_uniform_between(weights[weights > 0], 0.05, 0.25)
    features, targets = torch.rand(32, 4, 6, 5), torch.rand(32, 7).softmax(dim=1)
    mixed, mixed_targets = of_recipe(Mixup, p=1)(features + 1, features, targets)
    others, other_targets = features.roll(1, dims=0), targets.roll(1, dims=0)
    weights = ((mixed - features - 1) / (others - features - 1)).mean(dim=(1, 2, 3), keepdim=True)
    assert torch.allclose(mixed, (features + 1).lerp(others, weights), atol=1e-5)
    assert torch.allclose(mixed_targets, targets.lerp(other_targets, weights.view(-1, 1)), atol=1e-5)


def test_the_winners_settings_are_exact_and_the_resolutions_share_all_random_numbers():
    augment = winner()
    masks, crop = augment.transforms
    assert isinstance(masks, SpecAugment) and isinstance(crop, RandomCrop)  # in this order
    assert (masks.freq_masks, masks.freq_mask_param, masks.time_masks, masks.time_mask_param) == (1, 32, 2, 12)
    assert crop.padding == 32
    assert (augment.mixup.p, augment.mixup.low, augment.mixup.high) == (0.75, 0.05, 0.25)
    assert not list(augment.parameters())
    clip = torch.rand(24, 1, 160, 160) + 1
    augmented, targets = winner()(clip.expand(24, 4, 160, 160), pairs(24))
    assert torch.equal(augmented, augmented[:, :1].expand_as(augmented))
    assert augmented.shape == (24, 4, 160, 160) and augmented.dtype == torch.float32
    assert torch.allclose(targets.sum(dim=1), torch.ones(24), atol=1e-6)


def test_equal_seeds_repeat_and_different_seeds_differ():
    features, targets = torch.rand(16, 4, 160, 160), pairs(16)
    before = features.clone()

    def draw(seed: int) -> tuple[Tensor, Tensor]:
        return winner()(features, targets, torch.Generator().manual_seed(seed))

    one, same, other = draw(1), draw(1), draw(2)
    assert all(torch.equal(a, b) for a, b in zip(one, same, strict=True))
    assert not any(torch.equal(a, b) for a, b in zip(one, other, strict=True))
    assert torch.equal(features, before) and torch.equal(targets, pairs(16))


IDENTITY = {"freq_scale": 0, "time_scale": 0, "freq_shift": 0, "time_shift": 0}


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


def test_a_share_of_the_waveforms_gets_noise_whose_level_is_uniform_in_decibels_at_any_level():
    _, noise = added(4000, p=0.3)
    assert_share((noise != 0).any(dim=1).numpy(), 0.3)
    waveforms, noise = added(4000, snr_db=[-5, 15], p=1.0)
    ratio = 10 * (waveforms.square().mean(dim=1) / noise.square().mean(dim=1)).log10()
    assert_uniform_between(ratio.numpy(), -5.001, 15.001)


def test_the_spectral_slope_is_uniform_from_white_to_brown():
    _, noise = added(3000, length=4096, snr_db=[0, 0], p=1.0)
    power = torch.fft.rfft(noise).abs().square()
    octaves = [power[:, low : 2 * low].mean(dim=1) for low in (64, 128, 256, 512, 1024)]
    heights = torch.stack(octaves, dim=1).log2()
    slopes = -np.polyfit(np.arange(5), heights.T.numpy(), 1)[0]
    assert_uniform_between(slopes[(slopes > 0.1) & (slopes < 1.9)], 0.1, 1.9, bins=10)
    assert slopes.min() > -0.2 and slopes.max() < 2.2
    assert abs(slopes.mean() - 1) < 0.05
