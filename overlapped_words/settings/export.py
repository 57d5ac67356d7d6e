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
    output: Path | None
    threshold: Fraction | None
    half: bool
    cache_dir: Path
