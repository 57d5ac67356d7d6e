"""Muon against a singular value decomposition, torch.optim.AdamW and torch.optim.Muon."""

import copy

import pytest
import torch
from torch import nn

from lightning_modules.muon import Muon, orthogonalize


@pytest.mark.parametrize("shape", [(8, 72), (72, 8), (16, 16), (1, 5)])
def test_singular_vectors_stay_and_singular_values_become_about_one(shape) -> None:
    torch.manual_seed(0)
    matrix = torch.randn(shape)
    u, s, v = torch.linalg.svd(matrix, full_matrices=False)
    found = u.T @ orthogonalize([matrix])[0] @ v.T
    away = s > 0.02 * s[0]  # smaller ones are on their way up
    values = found.diagonal()
    assert ((values > 0.6) & (values < 1.3))[away].all()
    torch.testing.assert_close(found, values.diag(), atol=1e-3, rtol=0)


def test_scale_does_not_matter_and_zeros_stay_zeros() -> None:
    torch.manual_seed(0)
    matrix = torch.randn(6, 54)
    large, usual, zeros = orthogonalize([1e4 * matrix, matrix, torch.zeros(6, 54)])
    torch.testing.assert_close(large, usual)
    assert not zeros.any()


def test_matrices_are_orthogonalized_independently() -> None:
    torch.manual_seed(0)
    matrices = [torch.randn(shape) for shape in [(6, 54), (4, 9), (54, 6), (6, 6), (4, 100)]]
    together = orthogonalize(matrices)
    for found, matrix in zip(together, matrices, strict=True):
        assert found.shape == matrix.shape
        torch.testing.assert_close(found, orthogonalize([matrix])[0])


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(4, 6, 3, bias=False),
        nn.BatchNorm2d(6),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(6, 3),
    )


def train(model: nn.Module, optimizer: torch.optim.Optimizer, steps: int, seed: int = 1) -> None:
    torch.manual_seed(seed)
    for _ in range(steps):
        optimizer.zero_grad()
        model(torch.randn(8, 4, 10, 10)).square().mean().backward()
        optimizer.step()


@pytest.mark.parametrize("fused", [False, True])
def test_other_parameters_are_updated_as_by_adamw(fused) -> None:
    ours, theirs = network(), network()
    for model in (ours, theirs):
        model[0].weight.requires_grad_(False)
    train(ours, Muon(ours.parameters(), lr=0.01, weight_decay=0.1, momentum=0.95, fused=fused), 5)
    train(theirs, torch.optim.AdamW(theirs.parameters(), lr=0.01, weight_decay=0.1), 5)
    torch.testing.assert_close(ours.state_dict(), theirs.state_dict())


def test_a_kernel_is_updated_as_its_matrix_by_torchs_muon() -> None:
    torch.manual_seed(0)
    kernel = nn.Parameter(torch.randn(6, 4, 3, 3))
    matrix = nn.Parameter(kernel.detach().flatten(1).clone())
    ours = Muon([kernel], lr=0.02, weight_decay=0.1, momentum=0.95)
    theirs = torch.optim.Muon([matrix], lr=0.02, weight_decay=0.1, adjust_lr_fn="match_rms_adamw")
    before = matrix.detach().clone()
    for _ in range(4):
        kernel.grad = torch.randn_like(kernel)
        matrix.grad = kernel.grad.flatten(1).clone()
        ours.step()
        theirs.step()
    moved = (matrix - before).norm()
    assert (kernel.flatten(1) - matrix).norm() < 0.02 * moved  # torch's is in bfloat16


def test_the_memory_layout_of_a_kernel_does_not_matter() -> None:
    plain = network()
    layers = copy.deepcopy(plain).to(memory_format=torch.channels_last)
    for model in (plain, layers):
        train(model, Muon(model.parameters(), lr=0.01, weight_decay=0.1, momentum=0.95), 3)
    assert layers[0].weight.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(layers.state_dict(), plain.state_dict())


def test_a_closure_is_called_with_gradients() -> None:
    kernel = nn.Parameter(torch.ones(1, 1, 1, 1))
    optimizer = Muon([kernel], lr=0.1, weight_decay=0, momentum=0.95)

    def closure() -> torch.Tensor:
        loss = kernel.square().sum()
        loss.backward()
        return loss

    assert optimizer.step(closure) == 1.0
    assert kernel.item() < 1.0


def test_resuming_from_a_state_dict_is_bitwise_identical() -> None:
    model = network()
    optimizer = Muon(model.parameters(), lr=0.01, weight_decay=0.05, momentum=0.95)
    train(model, optimizer, 3)
    other = copy.deepcopy(model)
    resumed = Muon(other.parameters(), lr=1.0, weight_decay=0.05, momentum=0.95)
    resumed.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    train(model, optimizer, 3, seed=2)
    train(other, resumed, 3, seed=2)
    torch.testing.assert_close(other.state_dict(), model.state_dict(), atol=0, rtol=0)
