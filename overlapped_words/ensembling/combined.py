"""Load the members of a sweep and combine their predictions."""

from dataclasses import dataclass, field
from pathlib import Path

from overlapped_words.ensembling.combine import Tables, combine, gather
from overlapped_words.ensembling.ensemble_file import StackingWeights
from overlapped_words.ensembling.stacking import fit_stacking
from overlapped_words.errors import RunError
from overlapped_words.messages import count
from overlapped_words.runs.folder import Status
from overlapped_words.runs.members import Member, find_members, folder_name


@dataclass(frozen=True)
class CombinedMembers:
    """Members of a sweep and their combined predictions."""

    run_dir: Path  # the sweep's folder, or the folder of a single member
    members: list[Member]  # that are combined
    tables: dict[str, Tables]  # of these members, by name
    errors: dict[str, str]  # why other members cannot be used, by name
    not_started: list[str]  # members that the sweep did not start
    mean: Tables  # the mean of the members' tables, with the targets
    stacking: StackingWeights | None = None  # None unless requested
    stacked: Tables = field(default_factory=dict)  # as `mean`, with stacked predictions

    @property
    def title(self) -> str:
        return f"{folder_name(self.run_dir)}: ensemble of {count(len(self.members), 'member')}"

    @property
    def used_stacking(self) -> StackingWeights | None:
        """The stacking weights if they are better than the mean on held-out clips."""
        return self.stacking if self.stacking and self.stacking.better_than_mean else None

    @property
    def combined(self) -> Tables:
        """The tables of the submission: stacked if that is better than the mean."""
        return self.stacked if self.used_stacking else self.mean


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
    unexpected = expect not in (None, len(started))
    if not members or (not partial and (errors or unexpected)):
        reasons = list(errors.values())
        if unexpected:
            names = ", ".join(member.name for member in started)
            reasons.append(f"expect={expect}, but found {count(len(started), 'member')}: {names}")
        reasons.insert(0, f"{run_dir}: {len(members)} of {count(len(started), 'member')} can be used")
        remedy = f"\nFix this, or add partial=true to combine the {count(len(members), 'usable member')}."
        raise RunError("\n  ".join(reasons) + (remedy if members else ""))
    mean = combine(members, tables)
    not_started = [member.name for member in everyone if member not in started]
    fitted = fit_stacking(members, tables, mean) if stacked else ()
    return CombinedMembers(run_dir, members, tables, errors, not_started, mean, *fitted)
