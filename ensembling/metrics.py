"""KL and its relatives on tables: answers and probs are `(N, num_classes)` arrays, a figure a clip is `(N,)`."""

import numpy as np

FLOOR = 1e-10  # probabilities count as at least this: a 0 that stands for a rounded number costs much, but not infinity


def kl_divergence(answers: np.ndarray, probs: np.ndarray) -> np.ndarray:
    """`sum(a * log(a / p))` of each clip, in nats, with 0 * log(0) = 0; the mean of it is the competition's score.

    As `torch.nn.functional.kl_div(log(probs), answers)` computes it, see
    https://docs.pytorch.org/docs/stable/generated/torch.nn.KLDivLoss.html.
    """
    entropy = np.where(answers > 0, answers * np.log(np.where(answers > 0, answers, 1)), 0)
    return (entropy - answers * np.log(np.maximum(probs, FLOOR))).sum(axis=1)


def uniform_kl(answers: np.ndarray) -> np.ndarray:
    """The KL divergence of the uniform answer, which knows nothing: log(num_classes) less each answer's entropy."""
    return kl_divergence(answers, np.full(answers.shape, 1 / answers.shape[1]))


def answered(answers: np.ndarray, probs: np.ndarray) -> np.ndarray:
    """Each clip's k most probable words, k the number of its true ones, those with a non-zero answer: `(N,
    num_classes)` of booleans."""
    k = (answers > 0).sum(axis=1, keepdims=True)
    ranks = np.argsort(np.argsort(-probs, axis=1, kind="stable"), axis=1)
    return ranks < k


def recall(answers: np.ndarray, probs: np.ndarray) -> np.ndarray:
    """The share of each clip's k true words among its k most probable ones.

    Recall at k, with k the clip's own number of words (also R-precision, Manning, Raghavan and Schütze, Introduction
    to Information Retrieval, section 8.4).
    """
    true = answers > 0
    return (true & answered(answers, probs)).sum(axis=1) / true.sum(axis=1)


def uniform_recall(answers: np.ndarray) -> np.ndarray:
    """The recall to expect of a guess: k of the classes are true."""
    return (answers > 0).mean(axis=1)
