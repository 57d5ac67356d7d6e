"""Which trained network a script uses."""

from pydantic import model_validator
from pydantic.dataclasses import dataclass
from typing_extensions import Self

from overlapped_words.pretrained import PRETRAINED
from overlapped_words.settings.check import STRICT
from overlapped_words.settings.fields import ExistingFile, ExistingPath


@dataclass(config=STRICT, kw_only=True)
class Trained:
    """Which trained network a script uses: either of two settings, or neither for the network that ships."""

    run_dir: ExistingPath | None
    ckpt_path: ExistingFile | None

    @model_validator(mode="after")
    def check_not_both(self) -> Self:
        if self.run_dir is not None and self.ckpt_path is not None:
            raise ValueError("give either run_dir=FOLDER (a run or a sweep) or ckpt_path=FILE")
        return self

    @property
    def path(self) -> str:
        """The one that is given, or the network that ships."""
        return self.run_dir or self.ckpt_path or str(PRETRAINED)
