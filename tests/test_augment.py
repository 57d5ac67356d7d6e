"""Augmentation has the documented distributions, tested over thousands of clips; the winner's recipe is exact."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from torch import Tensor, nn
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


def band(axis: str, batch_size: int, size: int = 160) -> tuple[np.ndarray, np.ndarray]:
    """One mask of frequency or time on each of many clips: widths, and the starts of those that are not empty."""
    if axis == "freq":
        features = of_recipe(SpecAugment, time_masks=0, freq_masks=1)(torch.ones(batch_size, 1, size, 1))
    else:
        features = of_recipe(SpecAugment, time_masks=1, freq_masks=0)(torch.ones(batch_size, 1, 1, size))
    return measure(features)


def measure(features: Tensor) -> tuple[np.ndarray, np.ndarray]:
    masked = features.flatten(1) == 0
    assert runs(masked).max() == 1
    width = masked.sum(dim=1)
    return width.numpy(), masked.int().argmax(dim=1)[width > 0].numpy()


@pytest.mark.parametrize(("axis", "max_width"), [("freq", 32), ("time", 12)])
def test_widths_of_masks_are_uniform(axis, max_width):
    width, _ = band(axis, 8000)
    assert_uniform(width, max_width)


@pytest.mark.parametrize(("axis", "max_width", "size"), [("freq", 32, 160), ("time", 12, 160), ("time", 12, 12)])
def test_masks_have_torchaudios_distribution(axis, max_width, size):
    width, start = band(axis, 8000, size)
    other_width, other_start = measure(mask_along_axis_iid(torch.ones(8000, 1, size, 1), max_width, 0.0, 2))
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


def test_the_two_time_masks_are_independent():
    late = (of_recipe(SpecAugment, freq_masks=0)(torch.ones(8000, 1, 1, 160)) == 0).flatten(1)
    apart = late[runs(late) == 2]
    first = apart.int().argmax(dim=1)
    last = 159 - apart.flip(1).int().argmax(dim=1)
    assert_share((runs(late) == 0).numpy(), 1 / 144)
    assert (last - first).max() > 140 and first.max() > 100 and last.min() < 60


def test_masks_are_shared_by_the_resolutions_and_differ_between_clips():
    features = torch.rand(64, 4, 160, 160) + 1
    augmented = of_recipe(SpecAugment)(features)
    masked = augmented == 0
    assert torch.equal(masked, masked[:, :1].expand_as(masked))
    assert torch.equal(augmented[~masked], features[~masked])
    assert len(masked[:, 0].flatten(1).unique(dim=0)) == 64


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
    features = torch.rand(16, 4, 40, 50) + 1
    cropped = RandomCrop(padding=8)(features)
    assert cropped.shape == features.shape
    padded = torch.zeros(16, 4, 56, 66)
    padded[:, :, 8:48, 8:58] = features
    seen = set()
    for clip, whole in zip(cropped, padded, strict=True):
        matches = [
            (top, left) for top in range(16) for left in range(16)
            if torch.equal(clip, whole[:, top : top + 40, left : left + 50])
        ]  # fmt: skip
        assert len(matches) == 1  # the same offset for all four resolutions
        seen.update(matches)
    assert len(seen) > 8


def mixed_weights(batch_size: int, **options: float) -> np.ndarray:
    """The weight of the other clip, which is the same in features and targets."""
    mixed, targets = of_recipe(Mixup, **options)(
        torch.zeros(batch_size, 1, 1, 1), torch.ones(batch_size, 1, 1, 1), pairs(batch_size)
    )
    weights = mixed.flatten()
    assert torch.allclose(targets.sum(dim=1), torch.ones(batch_size), atol=1e-6)
    # A clip's neighbor has a different target, so the target shows the weight too.
    assert torch.allclose(targets.gather(1, (torch.arange(batch_size) % 2)[:, None]).squeeze(1), 1 - weights, atol=1e-6)
    return weights.numpy()


def pairs(batch_size: int) -> Tensor:
    """Targets `(B, 2)` that alternate, so that neighbors in the batch differ."""
    return torch.eye(2)[torch.arange(batch_size) % 2]


def test_three_quarters_of_the_clips_are_mixed_with_uniform_weights():
    weights = mixed_weights(8000)
    assert_share(weights > 0, 0.75)
    assert_uniform_between(weights[weights > 0], 0.05, 0.25)


def test_probability_and_weight_of_mixup_are_independent():
    weights = mixed_weights(8000, p=0.5, low=0.1, high=0.9)
    assert_share(weights > 0, 0.5)
    assert_uniform_between(weights[weights > 0], 0.1, 0.9)
    assert_share((weights[1:] > 0) & (weights[:-1] > 0), 0.25)
    assert not mixed_weights(100, p=0).any()
    assert mixed_weights(100, p=1).all()


def test_features_and_targets_are_mixed_with_one_other_clip_by_one_weight():
    features, targets = torch.rand(32, 4, 6, 5), torch.rand(32, 7).softmax(dim=1)
    mixed, mixed_targets = of_recipe(Mixup, p=1)(features, features, targets)
    partners = set()
    for i in range(32):
        matches = []
        for j in range(32):
            weight = ((mixed[i] - features[i]) / (features[j] - features[i])).mean() if i != j else 0
            if torch.allclose(mixed[i], features[i].lerp(features[j], weight), atol=1e-5) and i != j:
                matches.append((j, weight))
        ((j, weight),) = matches  # exactly one other clip
        assert 0.05 <= weight <= 0.25
        assert torch.allclose(mixed_targets[i], targets[i].lerp(targets[j], weight), atol=1e-5)
        partners.add(j)
    assert partners == set(range(32))  # every clip once
    assert torch.allclose(mixed_targets.sum(dim=1), torch.ones(32), atol=1e-6)


class Erase(nn.Module):
    """An augmentation that is easy to see."""

    def forward(self, features: Tensor, generator: torch.Generator | None) -> Tensor:
        return torch.zeros_like(features)


def test_the_other_clip_is_not_augmented():
    features = torch.ones(4000, 1, 2, 2)
    augmented, targets = Augment([Erase()], of_recipe(Mixup))(features, pairs(4000))
    weights = augmented[:, 0, 0, 0]
    assert torch.equal(augmented, weights.view(-1, 1, 1, 1).expand_as(augmented))
    assert_share((weights > 0).numpy(), 0.75)
    assert weights[weights > 0].min() >= 0.05 and weights.max() <= 0.25
    assert torch.allclose(targets.min(dim=1).values, weights, atol=1e-6)


def test_the_input_batch_is_not_changed():
    features, targets = torch.rand(8, 4, 160, 160), pairs(8)
    before = features.clone(), targets.clone()
    winner()(features, targets)
    assert torch.equal(features, before[0]) and torch.equal(targets, before[1])


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

    def draw(seed: int) -> tuple[Tensor, Tensor]:
        return winner()(features, targets, torch.Generator().manual_seed(seed))

    one, same, other = draw(1), draw(1), draw(2)
    assert all(torch.equal(a, b) for a, b in zip(one, same, strict=True))
    assert not any(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_no_augmentation_changes_nothing():
    features, targets = torch.rand(4, 4, 160, 160), pairs(4)
    augmented, same_targets = instantiate(OmegaConf.load(CONF / "none.yaml"), _convert_="all")(features, targets)
    assert torch.equal(augmented, features) and torch.equal(same_targets, targets)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_random_numbers_are_drawn_on_the_device():
    features = torch.ones(8, 4, 160, 160, device="cuda")
    augmented, targets = winner()(features, pairs(8).cuda())
    assert augmented.device == features.device == targets.device
