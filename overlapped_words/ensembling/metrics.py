"""KL divergence and recall per clip.

`targets` and `probs` are arrays `(N, num_classes)` of distributions; metrics are `(N,)`.
"""

import numpy as np

from overlapped_words.runs.tables import PROB_FLOOR


def kl_divergence(targets: np.ndarray, probs: np.ndarray) -> np.ndarray:
    """KL divergence from target to prediction in nats, with 0 * log(0) = 0. The mean is the competition's score.

    Equals `torch.nn.functional.kl_div(log(probs), targets)` summed over classes, see
    https://docs.pytorch.org/docs/stable/generated/torch.nn.KLDivLoss.html.
    """
    entropy = np.where(targets > 0, targets * np.log(np.where(targets > 0, targets, 1)), 0)
    return (entropy - targets * np.log(np.maximum(probs, PROB_FLOOR))).sum(axis=1)


def uniform_kl(targets: np.ndarray) -> np.ndarray:
    """KL divergence of the uniform prediction: log(num_classes) minus the entropy of the target."""
    return kl_divergence(targets, np.full(targets.shape, 1 / targets.shape[1]))


def top_k(targets: np.ndarray, probs: np.ndarray) -> np.ndarray:
    """Mark the k most probable words of each clip, where k is its number of words with a target above 0.

    Returns booleans `(N, num_classes)`.
    """
    k = (targets > 0).sum(axis=1, keepdims=True)
    ranks = np.argsort(np.argsort(-probs, axis=1, kind="stable"), axis=1)
    return ranks < k


def recall(targets: np.ndarray, probs: np.ndarray) -> np.ndarray:
    """Recall at k: the fraction of a clip's k true words that are among its k most probable words.

    Also called R-precision (Manning, Raghavan and Schütze, Introduction to Information Retrieval, section 8.4).
    """
    true = targets > 0
    return (true & top_k(targets, probs)).sum(axis=1) / true.sum(axis=1)


def uniform_recall(targets: np.ndarray) -> np.ndarray:
    """Expected recall of a random guess: k / num_classes."""
    return (targets > 0).mean(axis=1)
