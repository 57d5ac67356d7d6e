"""Whether draws follow a law: seeds are fixed in the tests, so these bounds hold always or never."""

import math

import numpy as np


def assert_uniform(draws: np.ndarray, levels: int) -> None:
    """Integers are uniform over 0 .. levels - 1, by chi-square, and reach every level."""
    draws = np.asarray(draws)
    counts = np.bincount(draws, minlength=levels)
    assert len(counts) == levels, f"reaches {draws.max()}, beyond {levels - 1}"
    expected = len(draws) / levels
    assert expected >= 5, "too few draws to tell"
    assert counts.min() > 0, f"never {counts.argmin()}"
    chi_square = float(((counts - expected) ** 2 / expected).sum())
    freedom = levels - 1
    assert chi_square <= freedom + 4 * math.sqrt(2 * freedom), f"chi-square {chi_square:.0f} of {freedom}: {counts}"


def assert_uniform_between(draws: np.ndarray, low: float, high: float, bins: int = 20) -> None:
    """Real numbers are uniform in [low, high]."""
    scaled = (np.asarray(draws, np.float64) - low) / (high - low)
    assert scaled.min() >= -1e-6 and scaled.max() <= 1 + 1e-6, f"{min(draws)} .. {max(draws)}"
    assert_uniform(np.clip((scaled * bins).astype(int), 0, bins - 1), bins)


def assert_share(truth: np.ndarray, share: float) -> None:
    """A condition holds with probability `share`, to four standard deviations."""
    deviation = math.sqrt(share * (1 - share) / len(truth))
    assert abs(np.mean(truth) - share) < 4 * deviation, f"{np.mean(truth):.3f}, not {share}"


def assert_same_distribution(one: np.ndarray, other: np.ndarray) -> None:
    """Two samples come from one law, by the largest distance of their distributions (Kolmogorov and Smirnov)."""
    places = np.union1d(one, other)
    below = [np.searchsorted(np.sort(sample), places, side="right") / len(sample) for sample in (one, other)]
    distance = np.abs(below[0] - below[1]).max()
    assert distance < 1.95 * math.sqrt(1 / len(one) + 1 / len(other)), f"distance {distance:.3f}"
