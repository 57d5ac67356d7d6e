"""The weights that ensemble.py fitted to members (`combine=stacked`), where they are those of these very ones."""

import hashlib
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from errors import RunError
from messages import first_names, printable
from runs.folder import RunFolder
from runs.members import folder_name
from runs.reading import RENEW, read_ensemble

log = logging.getLogger(__name__)


class Stack(NamedTuple):
    """softmax(sum of weight * log(max(p, floor)) + offset of the word), as ensembling/stacking.py fits it."""

    weights: list[float]  # in the order of the checkpoints
    offsets: dict[str, float]  # by word
    floor: float


def find_stacking_weights(checkpoints: Sequence[Path]) -> Stack | None:
    """The stack of the ensemble.json beside the members; None where their plain mean is to be taken.

    A stack of other members, or of these before they were trained anew, is left unused; a warning says so.

    Raises:
        RunError: ensemble.json is damaged.
    """
    files = [file.absolute() for file in checkpoints]
    folders = [file.parent.parent for file in files]
    if files != [RunFolder(folder).last_checkpoint for folder in folders]:
        return None  # it was fitted to the tables of the last checkpoints
    file = folders[0].parent / "ensemble.json"
    if len(folders) == 1 and (alone := folders[0] / "ensemble.json").exists():
        file = alone
    content = read_ensemble(file) if file.exists() else None
    numbers = content and content["stack"]
    if not content or not numbers or not numbers["taken"]:
        return None
    fingerprints = {member["name"]: member["val_predictions_sha256"] for member in content["members"]}
    names = [folder_name(folder) for folder in folders]
    if fingerprints == dict(zip(names, map(_sha256, folders), strict=True)):
        weights, floor = numbers["weights"], numbers["floor"]
        if missing := [name for name in names if name not in weights]:
            raise RunError(f"{file}: no weight for {first_names(missing)}; {RENEW}")
        if not 0 < floor < 1:
            raise RunError(f"{file}: stack.floor is {floor}, not between 0 and 1; {RENEW}")
        return Stack([weights[name] for name in names], numbers["offsets"], floor)
    if len(folders) > 1:
        message = "%s: fitted to other members, or before these were trained again; their mean is used instead"
        log.warning(message, printable(str(file)))
    return None


def _sha256(folder: Path) -> str | None:
    table = folder / "val_predictions.csv"
    return hashlib.sha256(table.read_bytes()).hexdigest() if table.is_file() else None
