"""Muon optimizer: orthogonalized momentum for convolution kernels."""

import math
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from itertools import groupby
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

from overlapped_words.settings.fields import NotNegative, Share

# Coefficients of the polynomial a x + b x^3 + c x^5: five rounds move singular values to about 1 (0.7 to 1.2).
A, B, C = 3.4445, -4.7750, 2.0315
ROUNDS = 5


class Batch:
    """Kernels that are orthogonalized together; a kernel is a matrix `(out_chans, height * width * in_chans)`.

    The optimizer writes into `directions` and reads from `updates`, views of the shapes of the kernels. All memory and
    all views of it are kept, so a step has few operations.
    """

    def __init__(self, kernels: Sequence[Tensor], size: int) -> None:
        new: dict[str, Any] = {"dtype": torch.float32, "device": kernels[0].device}
        self.gram, self.product = torch.zeros(2, len(kernels), size, size, **new)
        self.trace = self.gram.diagonal(dim1=1, dim2=2)[:, None]  # (K, 1, size)
        self.identity, self.scale = torch.eye(size, **new), torch.ones(len(kernels), 1, 1, **new)
        self.directions: dict[Tensor, Tensor] = {}
        self.updates: dict[Tensor, Tensor] = {}
        self.grams: list[tuple[Tensor, Tensor, Tensor]] = []  # two factors and their product
        self.products: list[tuple[Tensor, Tensor, Tensor]] = []
        for shape, group in groupby(sorted(kernels, key=lambda kernel: kernel.shape), lambda kernel: kernel.shape):
            same = list(group)
            rows, columns = len(same[0]), same[0][0].numel()
            part, n = slice(len(self.updates), len(self.updates) + len(same)), min(rows, columns)
            gram, product = self.gram[part, :n, :n], self.product[part, :n, :n]
            matrices, updates = torch.zeros(2, len(same), rows, columns, **new)
            wide = rows <= columns
            self.grams.append((matrices, matrices.mT, gram) if wide else (matrices.mT, matrices, gram))
            self.products.append((product, matrices, updates) if wide else (matrices, product, updates))
            # An orthogonalized matrix has a root mean square of 1 / sqrt(its longer side).
            self.scale[part] = 0.2 * math.sqrt(max(rows, columns))
            for kept, each in ((self.directions, matrices), (self.updates, updates)):
                # Input channels last, as most kernels are stored.
                kept.update(zip(same, each.unflatten(2, (*shape[2:], shape[1])).movedim(-1, 2), strict=True))

    def orthogonalize(self) -> None:
        """Set `updates` to about the nearest matrices to `directions` with equal singular values; zeros stay zeros.

        Every round is a polynomial of the Gram matrix, and polynomials of one matrix commute. So the rounds use the
        smaller Gram matrix, and only two products involve the long side. For a kernel nine times as long as wide, that
        is a third of the arithmetic.
        """
        for *factors, gram in self.grams:
            torch.bmm(*factors, out=gram)
        square_norm = self.trace.sum(dim=2, keepdim=True).clamp_(min=1e-14)
        gram = self.gram / square_norm
        # The polynomial of a round is A + rest; as a factor, it takes one operation.
        rest = torch.baddbmm(gram, gram, gram, beta=B, alpha=C)
        product = rest.add(self.identity, alpha=A)
        for _ in range(ROUNDS - 1):
            gram = torch.baddbmm(gram, rest, gram, beta=A)
            gram = torch.baddbmm(gram, gram, rest, beta=A)
            rest = torch.baddbmm(gram, gram, gram, beta=B, alpha=C)
            product = torch.baddbmm(product, rest, product, beta=A)
        torch.mul(product, self.scale * square_norm.rsqrt(), out=self.product)
        for *factors, updates in self.products:
            torch.bmm(*factors, out=updates)


class Muon(AdamW):
    """Update convolution kernels by orthogonalized Nesterov momentum, all other parameters by AdamW.

    `torch.optim.Muon` supports only matrices. The root mean square of a kernel's update is 0.2 times the learning rate,
    about that of AdamW, so that one learning rate and one weight decay serve both.

    Source: Jordan et al., kellerjordan.github.io/posts/muon; the size of an update: Liu et al., arXiv 2502.16982.
    """

    def __init__(
        self,
        params: Iterable[nn.Parameter],
        lr: NotNegative,
        weight_decay: NotNegative,
        momentum: Share,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        fused: bool = False,
    ) -> None:
        params = list(params)
        kernels: dict[str, Any] = {"name": "kernels", "params": [p for p in params if p.ndim > 2], "momentum": momentum}
        others: dict[str, Any] = {"name": "others", "params": [p for p in params if p.ndim <= 2]}
        super().__init__([kernels, others], lr, betas, eps, weight_decay, fused=fused)
        self._step_supports_amp_scaling = False  # gradients are unscaled before a step, and so may be clipped

    def __setstate__(self, state: dict[str, Any]) -> None:
        Optimizer.__setstate__(self, state)  # AdamW expects its own state of kernels, too
        for group in self.param_groups:
            group.update(self.defaults | group)  # checkpoints of earlier versions lack some

    @cached_property
    def _batches(self) -> list[Batch]:
        sizes = {kernel: min(len(kernel), kernel[0].numel()) for kernel in self.param_groups[0]["params"]}
        least = max(sizes.values(), default=0) // 2  # smaller Gram matrices are padded with zeros, for few batches
        batches: dict[int, list[Tensor]] = {}
        for kernel, size in sizes.items():
            batches.setdefault(max(size, least), []).append(kernel)
        return [Batch(kernels, size) for size, kernels in batches.items()]

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        kernels, others = self.param_groups
        self._step_kernels(**kernels)
        self.param_groups = [others]
        super().step()
        self.param_groups = [kernels, others]
        return loss

    def _step_kernels(self, lr: float, weight_decay: float, momentum: float, **_: Any) -> None:
        used = [(batch, p) for batch in self._batches for p in batch.directions if p.grad is not None]
        if not used:
            return
        params, grads = [p for _, p in used], [p.grad for _, p in used if p.grad is not None]
        for p in params:
            if not self.state[p]:
                self.state[p] = {"average": torch.zeros_like(p)}
        averages = [self.state[p]["average"] for p in params]
        torch._foreach_lerp_(averages, grads, 1 - momentum)
        directions = torch._foreach_lerp(grads, averages, momentum)
        torch._foreach_copy_([batch.directions[p] for batch, p in used], directions)
        for batch in self._batches:
            batch.orthogonalize()
        torch._foreach_mul_(params, 1 - lr * weight_decay)
        torch._foreach_add_(params, [batch.updates[p] for batch, p in used], alpha=-lr)
