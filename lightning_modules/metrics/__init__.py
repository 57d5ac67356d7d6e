"""Metrics: every module of this package defines one, a function with the name of its file.

`<name>(targets, probs)` takes float64 arrays `(N, num_classes)` of distributions and returns `(N,)`, a value per clip.
The mean over a split is val/<name> in the logs and in metrics.csv, and val_<name> or test_<name> in metrics.json and
in the reports of ensemble.py; report.md explains it by the first line of its docstring.
"""

from collections.abc import Callable
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

import numpy as np

METRICS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    name: getattr(import_module(f"{__name__}.{name}"), name) for _, name, _ in iter_modules(__path__)
}


def mean_metrics(targets: np.ndarray, probs: np.ndarray) -> dict[str, float]:
    """The mean of each metric over the clips, and `kl_constant`, the KL of the uniform prediction, as the baseline.

    `targets` and `probs` are arrays `(N, num_classes)` of any float type.
    """
    targets, probs = targets.astype(np.float64), probs.astype(np.float64)
    means = {name: float(metric(targets, probs).mean()) for name, metric in METRICS.items()}
    return means | {"kl_constant": float(METRICS["kl"](targets, uniform(targets)).mean())}


def uniform(table: Any) -> np.ndarray:
    """The prediction 1 / num_classes for each word, in the shape `(N, num_classes)` of a table or an array."""
    return np.full(table.shape, 1 / table.shape[1])


def format_metric(name: str, value: float) -> str:
    """A mean of a metric as it is printed: recall in percent, others with four decimals."""
    return f"{value:.1%}" if name == "recall" else f"{value:.4f}"
