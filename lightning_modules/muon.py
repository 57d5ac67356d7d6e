"""Muon optimizer: orthogonalized momentum for convolution kernels."""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.adamw import adamw

from overlapped_words.settings.fields import NotNegative, Positive, Share

# Coefficients of the polynomial a x + b x^3 + c x^5: five rounds move singular values to about 1 (0.7 to 1.2).
A, B, C = 3.4445, -4.7750, 2.0315
ROUNDS = 5


def orthogonalize(matrices: Sequence[Tensor]) -> list[Tensor]:
    """Matrices `(n, m)` -> approximately the nearest matrices with singular values of 1, float32; zeros stay zeros.

    Every round is a polynomial of the Gram matrix, and polynomials of one matrix commute. So the rounds use the smaller
    Gram matrix, and only two products involve the long side. For a kernel nine times as long as wide, that is a third
    of the arithmetic. Gram matrices of one size are batched: on a GPU, launching many small products is the cost.
    """
    wide = [matrix.float() if matrix.shape[0] <= matrix.shape[1] else matrix.float().T for matrix in matrices]
    result: list[Tensor] = [torch.empty(0)] * len(wide)
    sizes = [len(matrix) for matrix in wide]
    for size in set(sizes):
        group = [i for i, other in enumerate(sizes) if other == size]
        gram = torch.stack([wide[i] @ wide[i].T for i in group])
        square_norm = gram.diagonal(dim1=1, dim2=2).sum(dim=1).clamp(min=1e-14).view(-1, 1, 1)
        for i, product in zip(group, _polynomials(gram / square_norm) / square_norm.sqrt(), strict=True):
            result[i] = product @ wide[i]
    pairs = zip(result, matrices, strict=True)
    return [product if matrix.shape[0] <= matrix.shape[1] else product.T for product, matrix in pairs]


def _polynomials(gram: Tensor) -> Tensor:
    """Gram matrices `(B, n, n)` of norm 1 -> the product of the polynomials of all rounds, `(B, n, n)`."""
    product = polynomial = _polynomial(gram)
    for _ in range(ROUNDS - 1):
        gram = polynomial @ gram @ polynomial
        polynomial = _polynomial(gram)
        product = polynomial @ product
    return product


def _polynomial(gram: Tensor) -> Tensor:
    """A + B gram + C gram^2 for each Gram matrix, `(B, n, n)`, without temporary tensors."""
    polynomial = torch.baddbmm(gram, gram, gram, beta=B, alpha=C)
    polynomial.diagonal(dim1=1, dim2=2).add_(A)
    return polynomial


class Muon(Optimizer):
    """Update convolution kernels by orthogonalized Nesterov momentum, all other parameters by AdamW.

    A kernel counts as a matrix `(out_chans, height * width * in_chans)`. `torch.optim.Muon` supports only matrices.
    The root mean square of a kernel's update is 0.2 times the learning rate, about that of AdamW, so that one learning
    rate and one weight decay serve both.

    Source: Jordan et al., kellerjordan.github.io/posts/muon; the size of an update: Liu et al., arXiv 2502.16982.
    """

    def __init__(
        self,
        params: Iterable[nn.Parameter],
        lr: Positive,
        weight_decay: NotNegative,
        momentum: Share,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        fused: bool = False,
    ) -> None:
        params = list(params)
        kernels = {"name": "kernels", "params": [p for p in params if p.ndim > 2], "momentum": momentum}
        others = {"name": "others", "params": [p for p in params if p.ndim <= 2]}
        rule = {"betas": betas, "eps": eps, "fused": fused}
        super().__init__([kernels, others | rule], {"lr": lr, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        kernels, others = self.param_groups
        self._step_kernels(**kernels)
        self._step_others(**others)
        return loss

    def _step_kernels(self, params: list[Tensor], lr: float, weight_decay: float, momentum: float, **_: Any) -> None:
        params = [p for p in params if p.grad is not None]
        if not params:
            return
        grads = [p.grad for p in params if p.grad is not None]
        for p in params:
            if not self.state[p]:
                self.state[p] = {"average": torch.zeros_like(p)}
        averages = [self.state[p]["average"] for p in params]
        torch._foreach_lerp_(averages, grads, 1 - momentum)
        directions = torch._foreach_lerp(grads, averages, momentum)
        # Input channels last, as most kernels are stored: flattening then copies nothing.
        steps = orthogonalize([direction.movedim(1, -1).flatten(1) for direction in directions])
        # An orthogonalized matrix has a root mean square of 1 / sqrt(its longer side).
        torch._foreach_mul_(steps, [-0.2 * lr * math.sqrt(max(step.shape)) for step in steps])
        torch._foreach_mul_(params, 1 - lr * weight_decay)
        shaped = [step.view_as(p.movedim(1, -1)).movedim(-1, 1) for step, p in zip(steps, params, strict=True)]
        torch._foreach_add_(params, shaped)

    def _step_others(
        self,
        params: list[Tensor],
        lr: float,
        weight_decay: float,
        betas: tuple[float, float],
        eps: float,
        fused: bool,
        **_: Any,
    ) -> None:
        params = [p for p in params if p.grad is not None]
        for p in params:
            if not self.state[p]:
                step = torch.zeros((), device=p.device if fused else "cpu")
                self.state[p] = {"step": step, "exp_avg": torch.zeros_like(p), "exp_avg_sq": torch.zeros_like(p)}
        adamw(
            params,
            [p.grad for p in params if p.grad is not None],
            [self.state[p]["exp_avg"] for p in params],
            [self.state[p]["exp_avg_sq"] for p in params],
            max_exp_avg_sqs=[],
            state_steps=[self.state[p]["step"] for p in params],
            fused=fused,
            amsgrad=False,
            beta1=betas[0],
            beta2=betas[1],
            lr=lr,
            weight_decay=weight_decay,
            eps=eps,
            maximize=False,
        )
