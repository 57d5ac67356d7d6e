"""The folder names of members: `avg_seed0`, or `avg_seed0_fold1` in a cross-validation."""

import re
from typing import NamedTuple


class MemberName(NamedTuple):
    """What a folder name states about a member."""

    pool: str
    seed: int
    fold: int | None = None


def member_name(pool: str, seed: int, fold: int | None = None) -> str:
    """The folder name of a member."""
    return f"{pool}_seed{seed}" + (f"_fold{fold}" if fold is not None else "")


def parse_member_name(name: str) -> MemberName:
    """The reverse of `member_name`; any other folder name counts as the pool of seed 0."""
    match = re.fullmatch(r"(.+)_seed(\d+)(?:_fold(\d+))?", name)
    if not match:
        return MemberName(name, 0)
    return MemberName(match[1], int(match[2]), int(match[3]) if match[3] else None)
