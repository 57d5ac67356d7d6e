"""Settings of export.py."""

from typing import Literal

from pydantic.dataclasses import dataclass

from overlapped_words.settings.check import STRICT
from overlapped_words.settings.fields import Fraction, Path
from overlapped_words.settings.trained import Trained


@dataclass(config=STRICT, kw_only=True)
class Export(Trained):
    """Checkpoints to one file for other programs, or to a web page."""

    format: Literal["onnx", "web", "safetensors"]
    """`onnx`, one file; `web`, a folder with a page that needs no Python; `safetensors`, one file to share."""
    output: Path | None
    """The file or folder; null: model.onnx, web or model.safetensors in run_dir, or beside the checkpoint."""
    threshold: Fraction | None
    """Probability of an event; null: by the rule of the run, which ensemble.py fits."""
    half: bool
    """16-bit weights, for safetensors."""
    cache_dir: Path
    """Where onnxruntime-web is stored."""
