"""Load the members of a sweep and combine their predictions."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from overlapped_words.ensembling.combine import Tables, combine, gather
from overlapped_words.ensembling.stacking import FittedStacking, fit_stacking
from overlapped_words.errors import RunError
from overlapped_words.messages import count
from overlapped_words.runs.members import Member, find_members, folder_name
from overlapped_words.runs.status import Status


@dataclass(frozen=True)
class CombinedMembers:
    """Members of a sweep and their combined predictions.

    Attributes:
        run_dir: the sweep's folder, or the folder of a single member.
        members: the members that are combined.
        tables: the tables of these members, by member name.
        errors: why other members cannot be used, by member name.
        not_started: names of members that the sweep did not start.
        mean: the mean of the members' tables, with the targets.
        stacking: the fitted stacking weights with their tables; None unless requested.
    """

    run_dir: Path
    members: list[Member]
    tables: dict[str, Tables]
    errors: dict[str, str]
    not_started: list[str]
    mean: Tables
    stacking: FittedStacking | None = None

    @property
    def title(self) -> str:
        return f"{folder_name(self.run_dir)}: ensemble of {count(len(self.members), 'member')}"

    @property
    def used_stacking(self) -> FittedStacking | None:
        """The stacking weights if they are better than the mean on held-out clips."""
        return self.stacking if self.stacking and self.stacking.better_than_mean else None

    @property
    def combined(self) -> Tables:
        """The tables of the submission: stacked if that is better than the mean."""
        return self.used_stacking.tables if self.used_stacking else self.mean


def combine_members(
    run_dir: Path, expect: int | None = None, partial: bool = False, stacked: bool = False
) -> CombinedMembers:
    """Load and combine the members in `run_dir`.

    Args:
        expect: required number of members; None accepts any number.
        partial: leave out members that cannot be used, and accept another number than `expect`.
        stacked: fit stacking weights on the validation clips.

    Raises:
        RunError: no usable member; without `partial`, a member that cannot be used or an unexpected number of members;
            folds that do not belong together; too few validation clips for stacking.
    """
    everyone = find_members(run_dir)
    started = [member for member in everyone if member.status != Status.NOT_STARTED] or everyone
    tables, errors = gather(started)
    members = [member for member in started if member.name in tables]
    if not members or (not partial and (errors or expect not in (None, len(members)))):
        raise RunError(_unusable_message(run_dir, expect, started, errors))
    mean = combine(members, tables)
    stacking = fit_stacking(members, tables, mean) if stacked else None
    not_started = [member.name for member in everyone if member not in started]
    return CombinedMembers(run_dir, members, tables, errors, not_started, mean, stacking)


def _unusable_message(run_dir: Path, expect: int | None, members: Sequence[Member], errors: dict[str, str]) -> str:
    reasons = list(errors.values())
    if expect not in (None, len(members)):
        names = ", ".join(member.name for member in members)
        reasons.append(f"expect={expect}, but there are {len(members)} members: {names}")
    usable = len(members) - len(errors)
    remedy = f"\nFix this, or add partial=true to combine the {count(usable, 'usable member')}." if usable else ""
    return "\n  ".join([f"{run_dir}: {usable} of {count(len(members), 'member')} can be used", *reasons]) + remedy
