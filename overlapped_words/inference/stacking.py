"""Find the stacking weights that ensemble.py fitted to a set of members."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from overlapped_words.ensembling.ensemble_file import RENEW, StackingWeights, fingerprint, read_ensemble
from overlapped_words.errors import RunError
from overlapped_words.messages import first_names, printable
from overlapped_words.runs.folder import RunFolder
from overlapped_words.runs.members import folder_name

log = logging.getLogger(__name__)


def find_stacking_weights(checkpoints: Sequence[Path]) -> StackingWeights | None:
    """Read the weights from the ensemble.json next to the members, in the order of the checkpoints.

    Return None to use the mean: without an ensemble.json, if the mean was the better one, or, with a warning, if the
    weights belong to other members or to older training runs of these.

    Raises:
        RunError: ensemble.json is damaged.
    """
    files = [file.absolute() for file in checkpoints]
    folders = [file.parent.parent for file in files]
    if files != [RunFolder(folder).last_checkpoint for folder in folders]:
        return None  # the weights were fitted to the predictions of the last checkpoints
    file = folders[0].parent / "ensemble.json"
    if len(folders) == 1 and (own := folders[0] / "ensemble.json").exists():
        file = own
    saved = read_ensemble(file) if file.exists() else None
    if not saved or not saved.stacking:
        return None
    names = [folder_name(folder) for folder in folders]
    fingerprints = [fingerprint(folder / "val_predictions.csv") for folder in folders]
    if len(saved.fingerprints) == len(names) and saved.fingerprints == dict(zip(names, fingerprints, strict=True)):
        weights = saved.stacking.weights
        if missing := [name for name in names if name not in weights]:
            raise RunError(f"{file}: no weight for {first_names(missing)}; {RENEW}")
        return replace(saved.stacking, weights={name: weights[name] for name in names})
    if len(folders) > 1:
        log.warning(
            "%s: its stacking weights belong to other members or older training runs; using the mean",
            printable(str(file)),
        )
    return None
