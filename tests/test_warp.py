"""The law of the warp of both axes, by statistics over thousands of pictures."""

import numpy as np
import pytest
import torch
from torch import Tensor

from datamodules.augment import RandomWarp
from tests.helpers.distributions import assert_uniform_between
from tests.helpers.recipe import of_recipe


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def spot(pictures: Tensor) -> tuple[Tensor, Tensor]:
    """`(B, 1, F, T)` pictures of one bright spot -> the row and column of its center, `(B,)` each."""
    share = pictures[:, 0] / pictures[:, 0].sum(dim=(1, 2), keepdim=True)
    place = torch.arange(pictures.shape[-1]).float()
    return (share.sum(dim=2) * place).sum(dim=1), (share.sum(dim=1) * place).sum(dim=1)


def test_a_warp_that_may_do_nothing_does_nothing():
    features = torch.rand(4, 2, 40, 30)
    warped = RandomWarp(freq_scale=0, time_scale=0, freq_shift=0, time_shift=0)(features)
    torch.testing.assert_close(warped, features, atol=1e-4, rtol=0)


@pytest.mark.parametrize(("axis", "law"), [(0, "freq_shift"), (1, "time_shift")])
def test_shifts_are_uniform_on_their_own_axis(axis, law):
    still = {"freq_scale": 0, "time_scale": 0, "freq_shift": 0, "time_shift": 0}
    picture = torch.zeros(2000, 1, 41, 41)
    picture[:, :, 20, 20] = 1
    places = spot(RandomWarp(**{**still, law: 0.2})(picture))
    assert_uniform_between(places[axis].numpy(), 20 - 0.2 * 41, 20 + 0.2 * 41)
    torch.testing.assert_close(places[1 - axis], torch.full((2000,), 20.0), atol=1e-3, rtol=0)


@pytest.mark.parametrize(("axis", "law"), [(0, "freq_scale"), (1, "time_scale")])
def test_scales_are_log_uniform_about_the_middle(axis, law):
    still = {"freq_scale": 0, "time_scale": 0, "freq_shift": 0, "time_shift": 0}
    bump = torch.exp(-((torch.arange(81.0) - 56) ** 2) / 18)  # 16 from the middle, and wide enough for interpolation
    picture = torch.outer(bump, bump).expand(2000, 1, 81, 81)
    places = spot(RandomWarp(**{**still, law: 0.25})(picture))
    reach = np.log(1.25) + 1e-4  # of interpolation
    assert_uniform_between(np.log((places[axis].numpy() - 40) / 16), -reach, reach)
    torch.testing.assert_close(places[1 - axis], torch.full((2000,), 56.0), atol=1e-3, rtol=0)


def test_a_warp_takes_16_bit_and_shares_its_draw_between_the_resolutions():
    features = torch.rand(8, 1, 32, 32).half().expand(8, 4, 32, 32)
    augmented = of_recipe(RandomWarp)(features)
    assert augmented.dtype == torch.float32
    torch.testing.assert_close(augmented, augmented[:, :1].expand_as(augmented))
    assert not torch.equal(augmented[0], augmented[1])
