"""Elementary symmetric polynomials of exp(scores), in the log domain.

e_k sums, over all sets of k words, the product of exp(score) over the set: it normalizes a distribution over sets. The
product of (1 + exp(s_i) x) over the words has the coefficients e_0, e_1, ...; they are computed by multiplying
polynomials in pairs, which takes log2(num_classes) steps. All terms are positive, so nothing cancels.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

ZERO = -1e30  # log 0; infinity would give gradients of NaN


def elementary_symmetric(scores: Tensor, max_k: int) -> Tensor:
    """Scores `(B, n)` -> log e_k for k from 0 to max_k, at most n: `(B, max_k + 1)`.

    In descending order, a set of k words is a set of k - 1 words and a later word, so cumulative sums give one k after
    the other. They are relative to the set of the k largest scores: at least 1, and no term is larger than 1.
    """
    ordered = scores.sort(dim=1, descending=True).values
    largest = ordered[:, :max_k].detach()
    # (B, max_k, n): at most 1 but for words before the k-th, which are multiplied by 0 and must stay finite.
    ratios = (ordered[:, None] - largest[..., None]).clamp(max=1).exp()
    sums = [ratios[:, 0].cumsum(dim=1)]
    for k in range(1, max_k):
        sums.append((ratios[:, k] * F.pad(sums[-1], (1, -1))).cumsum(dim=1))
    return F.pad(torch.stack(sums, dim=1)[..., -1].log() + largest.cumsum(dim=1), (1, 0))


def marginals(scores: Tensor, max_k: int) -> Tensor:
    """Scores `(B, n)` -> log-probability `(B, n, max_k + 1)` that a word is in the set, given the set's size.

    A word is in a set of size k with probability exp(s_i) e_(k-1) / e_k, with e_(k-1) of the other words: of the
    product of all factors but its own, which is computed from the root of the tree of products to its leaves.
    """
    levels = _products(scores, max_k)
    others = torch.full_like(levels[-1], ZERO)  # the product of all factors outside of a node: 1 at the root
    others[..., -1] = 0
    for nodes in reversed(levels[:-1]):
        siblings = nodes.unflatten(1, (-1, 2)).flip(2).flatten(1, 2)
        others = _multiply(others.repeat_interleave(2, dim=1), siblings)
    shifted = F.pad(others[:, : scores.shape[1], 1:], (0, 1), value=ZERO)
    return (scores[..., None] + shifted - levels[-1]).flip(-1)


def _products(scores: Tensor, max_k: int) -> list[Tensor]:
    """The tree of products of the factors: `(B, nodes, max_k + 1)` for each level, from the leaves to the root.

    The logarithms of a polynomial's coefficients, the highest power first.
    """
    num_leaves = 1 << (scores.shape[1] - 1).bit_length()
    scores = F.pad(scores, (0, num_leaves - scores.shape[1]), value=ZERO)  # factors of 1
    levels = [F.pad(F.pad(scores[..., None], (0, 1)), (max_k - 1, 0), value=ZERO)]
    while levels[-1].shape[1] > 1:
        levels.append(_multiply(*levels[-1].unflatten(1, (-1, 2)).unbind(2)))
    return levels


def _multiply(a: Tensor, b: Tensor) -> Tensor:
    """Multiply polynomials `(..., max_k + 1)` and drop higher powers."""
    size = a.shape[-1]
    # Row i: the coefficients of b from x^(max_k - i) to x^0, then zeros.
    rows = F.pad(b, (0, size - 1), value=ZERO).unfold(-1, size, 1)
    return (rows + a.flip(-1)[..., None, :]).logsumexp(dim=-1)
