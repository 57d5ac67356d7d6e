"""Augmentation has the documented distributions, tested over thousands of clips; the winner's recipe is exact."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from torch import Tensor
from torchaudio.functional import mask_along_axis_iid

from datamodules.augment import Augment, Mixup, RandomCrop, SpecAugment
from tests.helpers.distributions import assert_same_distribution, assert_share, assert_uniform, assert_uniform_between
from tests.helpers.recipe import of_recipe

CONF = Path(__file__).parents[1] / "conf/augment"


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


def test_crops_are_uniform_over_0_to_63_on_both_axes():
    parts = [offsets(of_recipe(RandomCrop), 1600, 34) for _ in range(4)]
    top, left = (np.concatenate(part) for part in zip(*parts, strict=True))
    assert_uniform(top, 64)
    assert_uniform(left, 64)
    assert_uniform(top // 16 * 4 + left // 16, 16)  # independent of each other


def test_a_crop_is_a_part_of_the_padded_features():
    features = torch.rand(1, 4, 10, 12) + 1
    padded = torch.nn.functional.pad(features, [4] * 4)[0]
    parts = [padded[:, top : top + 10, left : left + 12] for top in range(8) for left in range(8)]
    for clip in RandomCrop(padding=4)(features.expand(16, 4, 10, 12)):
        assert sum(torch.equal(clip, part) for part in parts) == 1  # the same offset for all four resolutions


def pairs(batch_size: int) -> Tensor:
    """Targets `(B, 2)` that alternate, so that neighbors in the batch differ."""
    return torch.eye(2)[torch.arange(batch_size) % 2]


def test_three_quarters_of_the_clips_are_mixed_with_uniform_weights():
    clean = torch.ones(8000, 1, 1, 1)
    weights = of_recipe(Mixup)(0 * clean, clean, pairs(8000))[0].flatten().numpy()
    assert_share(weights > 0, 0.75)
    assert_uniform_between(weights[weights > 0], 0.05, 0.25)


def test_an_augmented_clip_is_mixed_with_its_neighbor_by_one_weight():
    features, targets = torch.rand(32, 4, 6, 5), torch.rand(32, 7).softmax(dim=1)
    mixed, mixed_targets = of_recipe(Mixup, p=1)(features + 1, features, targets)
    others, other_targets = features.roll(1, dims=0), targets.roll(1, dims=0)
    weights = ((mixed - features - 1) / (others - features - 1)).mean(dim=(1, 2, 3), keepdim=True)
    assert torch.allclose(mixed, (features + 1).lerp(others, weights), atol=1e-5)
    assert torch.allclose(mixed_targets, targets.lerp(other_targets, weights.view(-1, 1)), atol=1e-5)


def winner() -> Augment:
    return instantiate(OmegaConf.load(CONF / "winner.yaml"), _convert_="all")


def test_the_winners_settings_are_exact():
    augment = winner()
    masks, crop = augment.transforms
    assert isinstance(masks, SpecAugment) and isinstance(crop, RandomCrop)  # in this order
    assert (masks.freq_masks, masks.freq_mask_param, masks.time_masks, masks.time_mask_param) == (1, 32, 2, 12)
    assert crop.padding == 32
    assert (augment.mixup.p, augment.mixup.low, augment.mixup.high) == (0.75, 0.05, 0.25)
    assert not list(augment.parameters())


def test_the_resolutions_share_all_random_numbers():
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
