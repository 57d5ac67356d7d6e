"""MAC against values computed by the notebook's network (tests/golden.npz)."""

import numpy as np
import pytest
import torch
from torch import nn

from lightning_modules.mac import MAC
from tests.helpers.golden import GOLDEN, SHARED
from tests.helpers.networks import fill


@pytest.mark.parametrize("pool", ["avg", "max"])
def test_log_probs_equal_the_notebook(pool: str) -> None:
    noise = np.random.RandomState(0).standard_normal((1, 4, 160, 160)).astype(np.float32)
    expected = [(noise, GOLDEN[f"log_probs_{pool}"])]
    if SHARED.exists():
        golden = np.load(SHARED / "reference" / "golden.npz")
        features = np.stack([golden["features_chirp"], golden["features_test_00001"]])
        expected.append((features, golden[f"log_probs_{pool}"]))
    for features, log_probs in expected:
        with torch.no_grad():
            ours = fill(MAC(pool))(torch.from_numpy(features).contiguous(memory_format=torch.channels_last))
        np.testing.assert_allclose(ours, log_probs, atol=1e-4)


def test_parameters_in_order() -> None:
    shapes = [str(tuple(parameter.shape)) for parameter in MAC().parameters()]
    assert shapes == list(GOLDEN["parameter_shapes"])
    assert sum(parameter.numel() for parameter in MAC().parameters()) == 1_539_918


def test_any_size_and_log_probs_in_float32() -> None:
    for num_classes, width, in_chans, size in ((2, 4, 1, 64), (35, 8, 4, 160), (300, 2, 3, 96)):
        log_probs = MAC("max", num_classes, width, in_chans)(torch.randn(3, in_chans, size, size))
        assert log_probs.shape == (3, num_classes)
        torch.testing.assert_close(log_probs.exp().sum(dim=1), torch.ones(3))
    with torch.autocast("cpu", torch.bfloat16):
        assert MAC(width=2)(torch.randn(2, 4, 64, 64)).dtype == torch.float32


@pytest.mark.parametrize(("residual", "num_left"), [(False, 4), (True, 15)])  # behind pools; and behind sums
@pytest.mark.parametrize("pool", ["avg", "max"])
def test_folding_changes_nothing(pool: str, residual: bool, num_left: int) -> None:
    torch.manual_seed(0)
    network = fill(MAC(pool, width=4, residual=residual))
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
            module.weight.data.normal_()  # negative ones too
    folded, features = network.folded(), torch.randn(2, 4, 160, 160)
    with torch.no_grad():
        torch.testing.assert_close(folded(features), network(features), atol=1e-5, rtol=1e-4)
    left = sum(isinstance(module, nn.BatchNorm2d) for module in folded.modules())
    assert left == num_left  # of 21


def test_residual_connections_skip_the_blocks() -> None:
    network = MAC(width=4, residual=True)
    stage = network.stages[0]
    for block in list(stage)[1:]:
        nn.init.zeros_(block[2].weight)
        nn.init.zeros_(block[2].bias)
    x = torch.randn(2, 8, 16, 16)
    torch.testing.assert_close(stage(x), stage[0](x))
    assert sum(p.numel() for p in network.parameters()) == sum(p.numel() for p in MAC(width=4).parameters())
