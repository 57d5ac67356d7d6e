"""Elementary symmetric polynomials: exact against an enumeration of all sets."""

from itertools import combinations

import pytest
import torch

from lightning_modules.polynomials import elementary_symmetric, marginals


def scores(num_classes: int, spread: float = 8.0) -> torch.Tensor:
    return spread * torch.randn(4, num_classes, generator=torch.Generator().manual_seed(num_classes))


@pytest.mark.parametrize(("num_classes", "max_k"), [(1, 1), (3, 3), (5, 3), (8, 2), (6, 6)])
def test_polynomials_and_marginals_equal_an_enumeration_of_all_sets(num_classes: int, max_k: int) -> None:
    s = scores(num_classes)
    polynomials, log_p = elementary_symmetric(s, max_k), marginals(s, max_k)
    for k in range(max_k + 1):
        sets = list(combinations(range(num_classes), k))
        weights = torch.stack([s[:, list(chosen)].sum(dim=1) for chosen in sets])
        torch.testing.assert_close(polynomials[:, k], weights.logsumexp(dim=0), atol=1e-4, rtol=1e-5)
        probs = weights.softmax(dim=0)
        for i in range(num_classes):
            expected = sum((probs[j] for j, chosen in enumerate(sets) if i in chosen), torch.zeros(4))
            torch.testing.assert_close(log_p[:, i, k].exp(), expected, atol=1e-5, rtol=1e-4)


def test_a_marginal_is_the_gradient_of_the_polynomial() -> None:
    s = scores(30, spread=3.0).requires_grad_()
    log_p = marginals(s, 4)
    for k in range(1, 5):
        (gradient,) = torch.autograd.grad(elementary_symmetric(s, 4)[:, k].sum(), s)
        torch.testing.assert_close(log_p[:, :, k].exp(), gradient, atol=1e-5, rtol=1e-4)


def test_gradients_equal_finite_differences() -> None:
    s = scores(5, spread=2.0).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda s: elementary_symmetric(s, 3), s)
    assert torch.autograd.gradcheck(lambda s: marginals(s, 3)[..., 1:], s)


@pytest.mark.parametrize("level", [-300.0, 0.0, 300.0])
def test_extreme_scores_stay_finite(level: float) -> None:
    s = (level + scores(30, spread=60.0)).requires_grad_()
    log_p = marginals(s, 4)[..., 1:]
    (elementary_symmetric(s, 4).sum() + log_p.logsumexp(dim=1).sum()).backward()
    assert s.grad is not None and s.grad.isfinite().all()
    torch.testing.assert_close(log_p.exp().sum(dim=1), torch.arange(1.0, 5).expand(4, 4), atol=1e-3, rtol=1e-3)
