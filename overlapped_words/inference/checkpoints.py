"""Find the checkpoints of a run or a sweep, and what ensemble.py fitted to its members."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from overlapped_words.ensembling.ensemble_file import RENEW, StackingWeights, fingerprint, read_ensemble
from overlapped_words.errors import RunError
from overlapped_words.inference.events import EventRule
from overlapped_words.messages import first_names, printable
from overlapped_words.runs.folder import RunFolder
from overlapped_words.runs.members import find_members, folder_name

log = logging.getLogger(__name__)


def find_checkpoints(path: Path) -> list[Path]:
    """The last checkpoints of the runs in `path`, or `path` itself if it is a file.

    Members of a sweep that are not complete are left out with a warning.

    Raises:
        RunError: `path` contains no complete run.
    """
    if path.is_file():
        return [path]
    if not path.exists():
        raise RunError(f"{path}: no such file or folder; give a folder that train.py made, or a checkpoint")
    if (own := RunFolder(path).last_checkpoint).exists():
        return [own]
    members = find_members(path)
    for member in members:
        if member.fault:
            log.warning("left out: %s", printable(member.fault))
    complete = [RunFolder(member.path).last_checkpoint for member in members if not member.fault]
    if not complete:
        raise RunError(f"{path}: no complete run in it; {members[0].fault}")
    return complete


def find_fitted(checkpoints: Sequence[Path]) -> tuple[StackingWeights | None, EventRule]:
    """Read the stacking weights, in the order of the checkpoints, and the rule of events from an ensemble.json.

    The weights are None if the mean was better. Without an ensemble.json, they are None and the rule is the default.
    Likewise if it belongs to other members or to older training runs of these; for several, with a warning.

    Raises:
        RunError: ensemble.json is damaged.
    """
    files = [file.absolute() for file in checkpoints]
    folders = [file.parent.parent for file in files]
    own = folders[0] / "ensemble.json"
    file = own if len(folders) == 1 and own.exists() else folders[0].parent / "ensemble.json"
    # ensemble.py uses the predictions of the last checkpoints.
    of_runs = files == [RunFolder(folder).last_checkpoint for folder in folders]
    saved, stacking, events = read_ensemble(file) if of_runs and file.exists() else ({}, None, {})
    if not stacking and not events:
        return None, EventRule()
    fingerprints = {folder_name(folder): fingerprint(folder / "val_predictions.csv") for folder in folders}
    if saved != fingerprints:
        if len(folders) > 1:
            log.warning(
                "%s: belongs to other members or older training runs; using the mean and the default rule of events",
                printable(str(file)),
            )
        return None, EventRule()
    try:
        rule = EventRule(**events)
    except (RunError, TypeError) as error:
        raise RunError(f"{file}: {error}; {RENEW}") from error
    if not stacking:
        return None, rule
    if missing := [name for name in fingerprints if name not in stacking.weights]:
        raise RunError(f"{file}: no weight for {first_names(missing)}; {RENEW}")
    return replace(stacking, weights={name: stacking.weights[name] for name in fingerprints}), rule
