"""The weights that ensemble.py fitted to members (`combine=stacked`), where they are those of these very ones."""

import hashlib
import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from errors import RunError
from runs.folder import RunFolder

log = logging.getLogger(__name__)


class Stack(NamedTuple):
    """softmax(sum of weight * log(max(p, floor)) + offset of the word), as ensembling/stacking.py fits it."""

    weights: list[float]  # in the order of the checkpoints
    offsets: dict[str, float]  # by word
    floor: float


def find_stack(checkpoints: Sequence[Path]) -> Stack | None:
    """The stack of the ensemble.json beside the members; None where their plain mean is to be taken.

    A stack of other members, or of these before they were trained anew, is left unused; a warning says so.

    Raises:
        RunError: an ensemble.json that cannot be read.
    """
    files = [file.absolute() for file in checkpoints]
    folders = [file.parent.parent for file in files]
    if files != [RunFolder(folder).last_checkpoint for folder in folders]:
        return None  # it was fitted to the tables of the last checkpoints
    file = folders[0].parent / "ensemble.json"
    if len(folders) == 1 and (alone := folders[0] / "ensemble.json").exists():
        file = alone
    try:
        content = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
        numbers = content.get("stack")
        if not numbers or not numbers["taken"]:
            return None
        fingerprints = {member["name"]: member["val_predictions_sha256"] for member in content["members"]}
        names = [folder.resolve().name for folder in folders]
        if fingerprints == dict(zip(names, map(_sha256, folders), strict=True)):
            offsets = {word: float(offset) for word, offset in numbers["offsets"].items()}
            return Stack([float(numbers["weights"][name]) for name in names], offsets, float(numbers["floor"]))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        reason = f"cannot be read ({type(error).__name__}: {error})"
        raise RunError(f"{file}: {reason}; run ensemble.py again, or delete the file") from error
    if len(folders) > 1:
        log.warning("%s: fitted to other members, or before these were trained anew: their mean instead", file)
    return None


def _sha256(folder: Path) -> str | None:
    table = folder / "val_predictions.csv"
    return hashlib.sha256(table.read_bytes()).hexdigest() if table.is_file() else None
