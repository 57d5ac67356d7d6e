"""The folder names of members: `avg_seed0`, or `avg_seed0_fold1` in a cross-validation."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple


class MemberName(NamedTuple):
    """What a folder name states about a member."""

    pool: str
    seed: int
    fold: int | None = None


def fold_suffix(fold: int | None) -> str:
    """What follows the setting `member` in the name of a member's folder."""
    return "" if fold is None else f"_fold{fold}"


def parse_member_name(name: str) -> MemberName:
    """The parts of `<pool>_seed<seed>[_fold<fold>]`; any other folder name counts as the pool of seed 0."""
    match = re.fullmatch(r"(.+)_seed(\d+)(?:_fold(\d+))?", name)
    if not match:
        return MemberName(name, 0)
    return MemberName(match[1], int(match[2]), int(match[3]) if match[3] else None)


def pool_of(model: Mapping[str, Any], member: str) -> str:
    """The group of members that a network belongs to: its pooling or, if it has none, its name in `member`."""
    return str(model.get("pool") or parse_member_name(member).pool)
