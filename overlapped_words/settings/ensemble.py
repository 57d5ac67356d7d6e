"""Settings of ensemble.py."""

from typing import Literal

from pydantic.dataclasses import dataclass

from overlapped_words.settings.check import STRICT
from overlapped_words.settings.fields import Count, Path


@dataclass(config=STRICT, kw_only=True)
class Ensemble:
    """Combine the members of a sweep into a submission."""

    run_dir: Path
    """Folder of a sweep, outputs/<name>, or of one of its members."""
    expect: Count | None
    """Required number of members; null accepts any number."""
    combine: Literal["mean", "stacked"]
    """`stacked`: weight the members, fitted on validation clips, if that is better than the mean on held-out clips."""
    partial: bool
    """Leave out members that cannot be used; if false, they are an error."""
    status: bool
    """Only show the status of each member."""
    html: bool
    """Write report.html, a page with plots and audio."""
