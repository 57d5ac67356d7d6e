"""From a network's logits to a distribution over the words: a softmax, or a distribution over sets of words."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lightning_modules.polynomials import elementary_symmetric, marginals

Range = tuple[int, int]


def kl_divergence(log_probs: Tensor, targets: Tensor) -> Tensor:
    """Mean over clips of KL(target || prediction) in nats, computed in float32; 0 log 0 is 0."""
    return F.kl_div(log_probs.float(), targets, reduction="batchmean")


class Softmax(nn.Module):
    """Logits `(B, num_classes)` -> log-probabilities `(B, num_classes)`, float32; trained by the KL divergence."""

    k: Range | None = None  # predicts no number of words

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.num_logits = num_classes

    def forward(self, logits: Tensor) -> Tensor:
        # float32: a 16-bit log-softmax over many classes loses digits that the KL divergence needs.
        return F.log_softmax(logits.float(), dim=1)

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        return kl_divergence(self(logits), targets)


class WordSets(nn.Module):
    """Logits -> a distribution over the sets S of words of a clip; trained by its likelihood.

    The logits are a score s_i for each word and, if k is a range, a bias b_k for each number of words. P(S) is
    proportional to exp(b_|S| + sum of s_i over S). The targets must give the words of a clip equal shares. The
    prediction is the mean target, the one with the lowest expected KL divergence: no word gets more than 1 / min_k.

    Computed in float32, in the log domain: O(num_classes * max_k^2) per clip.

    Args:
        num_classes: number of words.
        k: minimum and maximum number of words in a clip.

    Source: exact marginals by elementary symmetric polynomials, as in SIMPLE (Ahmed et al., arXiv 2210.01941).
    """

    def __init__(self, num_classes: int, k: Sequence[int]) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.k: Range = (k[0], k[1])
        self.num_sizes = k[1] - k[0] + 1
        self.num_logits = num_classes + (self.num_sizes if self.num_sizes > 1 else 0)

    def forward(self, logits: Tensor) -> Tensor:
        """Logits `(B, num_logits)` -> log of the mean target `(B, num_classes)`, float32.

        Clips without words have no target; the mean is over the sets of at least one word.
        """
        scores, _ = self._split(logits)
        log_k, log_p = self.log_num_words(logits), marginals(scores, self.k[1])
        numbers = range(max(1, self.k[0]), self.k[1] + 1)
        terms = [log_k[:, k - self.k[0], None] + log_p[:, :, k] - math.log(k) for k in numbers]
        return torch.stack(terms).logsumexp(dim=0).log_softmax(dim=1)

    def presence(self, logits: Tensor) -> Tensor:
        """Logits `(B, num_logits)` -> the probability `(B, num_classes)` that each word is in the clip's set."""
        log_p = marginals(self._split(logits)[0], self.k[1])[:, :, self.k[0] :]
        return (self.log_num_words(logits)[:, None] + log_p).exp().sum(dim=2)

    def log_num_words(self, logits: Tensor) -> Tensor:
        """Logits `(B, num_logits)` -> log-probability `(B, max_k - min_k + 1)` of each number of words."""
        scores, biases = self._split(logits)
        sizes = elementary_symmetric(scores, self.k[1])[:, self.k[0] :]
        return F.log_softmax(sizes + biases, dim=1)

    def log_prob(self, logits: Tensor, words: Tensor) -> Tensor:
        """Logits `(B, num_logits)`, sets of words `(B, num_classes)` bool -> log P(S) `(B,)`.

        Sets of fewer words than k, which a curriculum has, are scored given their number of words.
        """
        scores, biases = self._split(logits)
        number = words.sum(dim=1, keepdim=True)  # (B, 1)
        sizes = elementary_symmetric(scores, self.k[1])  # (B, max_k + 1)
        log_prob = (scores * words).sum(dim=1, keepdim=True) - sizes.gather(1, number)  # given the number
        if self.num_sizes > 1:
            log_k = F.log_softmax(sizes[:, self.k[0] :] + biases, dim=1)
            index = (number - self.k[0]).clamp(min=0)
            log_prob = log_prob + log_k.gather(1, index) * (number >= self.k[0])
        return log_prob.squeeze(1)

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Mean over clips of -log P(S) in nats."""
        return -self.log_prob(logits, targets > 0).mean()

    def _split(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        """Scores `(B, num_classes)` and biases `(B, num_sizes)`, or 0 for one number of words."""
        scores, biases = logits.float().split([self.num_classes, self.num_logits - self.num_classes], dim=1)
        return scores, biases if self.num_sizes > 1 else scores.new_zeros(1)
