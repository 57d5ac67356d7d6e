"""Cross-validation: split clips or speakers into folds."""

import numpy as np

from overlapped_words.errors import DataError


def take_fold(order: np.ndarray, val_fraction: float, fold: int, noun: str) -> np.ndarray:
    """Part `fold` of `round(1 / val_fraction)` parts of `order`, whose lengths differ by at most one.

    Args:
        order: the shuffled clips or speakers, `(N,)`.
        val_fraction: fraction of one fold.
        fold: index of the fold.
        noun: what `order` contains, for the error message.

    Raises:
        DataError: there is no such fold, or there are more folds than elements in `order`.
    """
    num_folds = round(1 / val_fraction) if val_fraction else 0
    if num_folds < 2:
        raise DataError(
            f"data.val_fraction={val_fraction} defines no folds; "
            "choose a fraction above 0, up to 0.5 (0.2 makes five), or data.fold=null"
        )
    if not isinstance(fold, int) or not 0 <= fold < num_folds:
        raise DataError(
            f"data.fold is {fold}, but data.val_fraction={val_fraction} makes {num_folds} folds; "
            f"choose 0 to {num_folds - 1}, or null"
        )
    if num_folds > len(order):
        raise DataError(
            f"data.val_fraction={val_fraction} makes {num_folds} folds, but there are {len(order)} {noun}; "
            "choose a larger share, or data.fold=null"
        )
    return np.array_split(order, num_folds)[fold]
