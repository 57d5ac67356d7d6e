"""Which trained network a script uses."""

from pydantic import model_validator
from pydantic.dataclasses import dataclass
from typing_extensions import Self

from settings.fields import CLOSED, ExistingFile, RunPath


@dataclass(config=CLOSED, kw_only=True)
class Trained:
    """Either of two settings."""

    run_dir: RunPath | None
    """The folder of a run, or of a sweep: then the ensemble of its members."""
    ckpt_path: ExistingFile | None
    """One checkpoint."""

    @model_validator(mode="after")
    def check_one(self) -> Self:
        if (self.run_dir is None) == (self.ckpt_path is None):
            raise ValueError("give either run_dir=FOLDER (a run or a sweep) or ckpt_path=FILE")
        return self

    @property
    def path(self) -> str:
        """The one that is given."""
        return self.run_dir or self.ckpt_path or ""
