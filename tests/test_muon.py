"""Muon against a singular value decomposition, torch.optim.AdamW and torch.optim.Muon."""

import copy
import math

import pytest
import torch
from torch import Tensor, nn

from lightning_modules.muon import Muon


def updates(*gradients: Tensor) -> list[Tensor]:
    """The matrices that a first step, whose momentum is the gradient, subtracts from kernels, without their factor."""
    kernels = [nn.Parameter(torch.zeros_like(gradient)) for gradient in gradients]
    for kernel, gradient in zip(kernels, gradients, strict=True):
        kernel.grad = gradient
    Muon(kernels, lr=1, weight_decay=0, momentum=0.95).step()
    return [-k.detach().flatten(1) / (0.2 * math.sqrt(max(len(k), k[0].numel()))) for k in kernels]


@pytest.mark.parametrize("shape", [(8, 8, 3, 3), (72, 2, 2, 2), (16, 16, 1), (1, 5, 1)])
def test_singular_vectors_stay_and_singular_values_become_about_one(shape) -> None:
    torch.manual_seed(0)
    gradient = torch.randn(shape)
    u, s, v = torch.linalg.svd(gradient.flatten(1), full_matrices=False)
    found = u.T @ updates(gradient)[0] @ v.T
    away = s > 0.02 * s[0]  # smaller ones are on their way up
    values = found.diagonal()
    assert ((values > 0.6) & (values < 1.3))[away].all()
    torch.testing.assert_close(found, values.diag(), atol=1e-3, rtol=0)


def test_kernels_are_updated_independently_at_any_scale_and_zeros_stay_zeros() -> None:
    torch.manual_seed(0)
    shapes = [(6, 6, 3, 3), (4, 9, 1, 1), (54, 6, 1, 1), (6, 54, 1, 1), (6, 6, 3, 3), (16, 20, 1, 1)]
    gradients = [torch.randn(shape) for shape in shapes]
    *together, zeros = updates(*gradients, torch.zeros(4, 9, 1, 1))
    assert not zeros.any()
    for found, gradient in zip(together, gradients, strict=True):
        torch.testing.assert_close(found, updates(1e4 * gradient)[0], atol=1e-5, rtol=1e-4)


def network() -> nn.Sequential:
    torch.manual_seed(0)
    block = nn.Conv2d(4, 6, 3, bias=False), nn.BatchNorm2d(6), nn.ReLU()
    return nn.Sequential(*block, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 3))


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


def test_a_kernel_is_updated_as_its_matrix_by_torchs_muon_in_any_memory_layout() -> None:
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
    plain = network()
    layers = copy.deepcopy(plain).to(memory_format=torch.channels_last)
    for model in (plain, layers):
        train(model, Muon(model.parameters(), lr=0.01, weight_decay=0.1, momentum=0.95), 3)
    assert layers[0].weight.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(layers.state_dict(), plain.state_dict())


def test_resuming_from_a_state_dict_is_bitwise_identical() -> None:
    model = network()
    optimizer = Muon(model.parameters(), lr=0.01, weight_decay=0.05, momentum=0.95)
    train(model, optimizer, 3)
    other = copy.deepcopy(model)
    resumed = Muon(other.parameters(), lr=1.0, weight_decay=0.05, momentum=0.95)
    saved = copy.deepcopy(optimizer.state_dict())
    for group in saved["param_groups"]:
        for name in ("amsgrad", "decoupled_weight_decay"):  # not in checkpoints of earlier versions
            del group[name]
    resumed.load_state_dict(saved)
    train(model, optimizer, 3, seed=2)
    train(other, resumed, 3, seed=2)
    torch.testing.assert_close(other.state_dict(), model.state_dict(), atol=0, rtol=0)
