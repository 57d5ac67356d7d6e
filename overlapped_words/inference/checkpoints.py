"""Find the checkpoints of a run or a sweep."""

import logging
from pathlib import Path

from overlapped_words.errors import RunError
from overlapped_words.messages import printable
from overlapped_words.runs.folder import RunFolder
from overlapped_words.runs.members import find_members

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
