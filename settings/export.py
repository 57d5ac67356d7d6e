"""All settings of export.py."""

from typing import Literal

from pydantic.dataclasses import dataclass

from settings.fields import CLOSED, Path
from settings.trained import Trained


@dataclass(config=CLOSED, kw_only=True)
class Export(Trained):
    """Checkpoints to one file for other programs, or to a web page."""

    format: Literal["onnx", "web"]
    """`onnx`, one file; `web`, a folder with a page that needs no Python."""
    output: Path | None
    """The file or folder; null: model.onnx or web in run_dir, or beside the checkpoint."""
    cache_dir: Path
    """Where onnxruntime-web is stored, and the spoken words of data=synthetic, to compare on."""
