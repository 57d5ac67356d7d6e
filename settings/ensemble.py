"""All settings of ensemble.py."""

from typing import Annotated, Literal

from pydantic.dataclasses import dataclass

from settings.fields import CLOSED, Flag, Path, whole


@dataclass(config=CLOSED, kw_only=True)
class Ensemble:
    """The members of a sweep to one submission."""

    run_dir: Path
    """A sweep's folder, outputs/<name>, or that of one member."""
    expect: Annotated[int, whole(1)] | None
    """How many members there must be; null takes any number."""
    combine: Literal["mean", "stacked"]
    """`stacked`: with weights fitted on validation clips, if held-out clips are better by them."""
    partial: Flag
    """Leave out members that cannot be used instead of failing."""
    status: Flag
    """Only show how far each member is."""
    html: Flag
    """Write report.html, a page with plots and sound."""
