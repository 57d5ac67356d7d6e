"""Cross-validation: what is kept for validation is one of several parts that cover everything once."""

import numpy as np

from errors import DataError


def check_share(name: str, share: float) -> None:
    """Raises DataError where setting `name` is no number from 0 to less than 1."""
    if not isinstance(share, int | float) or not 0 <= share < 1:
        raise DataError(f"{name} is {share}; choose a number from 0 to less than 1, such as 0.2")


def take_fold(order: np.ndarray, val_fraction: float, fold: int, noun: str) -> np.ndarray:
    """Part `fold` of the `round(1 / val_fraction)` parts of `order`, whose lengths differ by one at most.

    Raises:
        DataError: there is no such fold, or there are more folds than `order` holds (`noun` says what that is).
    """
    num_folds = round(1 / val_fraction) if val_fraction else 0
    if num_folds < 2:
        raise DataError(
            f"data.val_fraction is {val_fraction}, which makes no folds; "
            "choose a share above 0, up to 0.5 (0.2 makes five), or data.fold=null"
        )
    if not isinstance(fold, int) or not 0 <= fold < num_folds:
        raise DataError(
            f"data.fold is {fold}, with {num_folds} folds of data.val_fraction={val_fraction}; "
            f"choose 0 .. {num_folds - 1} or null"
        )
    if num_folds > len(order):
        raise DataError(
            f"data.val_fraction is {val_fraction}, which makes {num_folds} folds of {len(order)} {noun}; "
            "choose a larger share, or data.fold=null"
        )
    return np.array_split(order, num_folds)[fold]
