"""All settings of export.py."""

from typing import Literal

from pydantic.dataclasses import dataclass

from settings.fields import CLOSED, Path
from settings.trained import Trained


@dataclass(config=CLOSED, kw_only=True)
class Export(Trained):
    """Checkpoints to one file for other programs."""

    format: Literal["onnx"]
    """The file's format."""
    output: Path | None
    """The file; null: model.onnx in run_dir, or beside the checkpoint."""
    cache_dir: Path
    """Where the spoken words of data=synthetic are, to compare on."""
