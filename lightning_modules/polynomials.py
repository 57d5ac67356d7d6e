"""Elementary symmetric polynomials of exp(scores), in the log domain.

e_k sums, over all sets of k words, the product of exp(score) over the set: it normalizes a distribution over sets. The
product of (1 + exp(s_i) x) over the words has the coefficients e_0, e_1, ...; they are computed by multiplying
polynomials in pairs, which takes log2(num_classes) steps. All terms are positive, so nothing cancels.
"""

import torch
from torch import Tensor

ZERO = -1e30  # log 0; infinity would give gradients of NaN


def elementary_symmetric(scores: Tensor, max_k: int) -> Tensor:
    """Scores `(B, n)` -> log e_k for k from 0 to max_k: `(B, max_k + 1)`."""
    return _products(scores, max_k)[-1][:, 0]


def marginals(scores: Tensor, max_k: int) -> Tensor:
    """Scores `(B, n)` -> log-probability `(B, n, max_k + 1)` that a word is in the set, given the set's size.

    A word is in a set of size k with probability exp(s_i) e_(k-1) / e_k, with e_(k-1) of the other words: of the
    product of all factors but its own, which is computed from the root of the tree of products to its leaves.
    """
    levels = _products(scores, max_k)
    others = torch.full_like(levels[-1], ZERO)  # the product of all factors outside of a node: 1 at the root
    others[..., 0] = 0
    for nodes in reversed(levels[:-1]):
        siblings = nodes.unflatten(1, (-1, 2)).flip(2).flatten(1, 2)
        others = _multiply(others.repeat_interleave(2, dim=1), siblings)
    shifted = torch.cat([torch.full_like(others[..., :1], ZERO), others[..., :-1]], dim=-1)
    return scores[..., None] + shifted[:, : scores.shape[1]] - levels[-1]


def _products(scores: Tensor, max_k: int) -> list[Tensor]:
    """The tree of products of the factors: `(B, nodes, max_k + 1)` for each level, from the leaves to the root."""
    num_leaves = 1 << (scores.shape[1] - 1).bit_length()
    rest = num_leaves - scores.shape[1]
    scores = torch.cat([scores, scores.new_full((scores.shape[0], rest), ZERO)], dim=1)  # factors of 1
    zeros = torch.full_like(scores, ZERO)
    levels = [torch.stack([torch.zeros_like(scores), scores, *[zeros] * (max_k - 1)], dim=-1)[..., : max_k + 1]]
    while levels[-1].shape[1] > 1:
        levels.append(_multiply(levels[-1][:, 0::2], levels[-1][:, 1::2]))
    return levels


def _multiply(a: Tensor, b: Tensor) -> Tensor:
    """Multiply polynomials `(..., max_k + 1)` and drop higher powers."""
    size = a.shape[-1]
    padded = torch.cat([torch.full_like(b[..., :-1], ZERO), b], dim=-1)  # (..., 2 * size - 1)
    # Row k: b_k, b_(k-1), ..., b_0, then zeros.
    index = (torch.arange(size, device=a.device)[:, None] - torch.arange(size, device=a.device)) + size - 1
    return (a[..., None, :] + padded[..., index]).logsumexp(dim=-1)
