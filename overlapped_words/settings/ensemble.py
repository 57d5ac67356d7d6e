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
    combine: Literal["mean", "stacked"]
    partial: bool
    status: bool
    html: bool
