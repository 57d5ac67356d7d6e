"""The network that comes with the project; README.md is its model card."""

from pathlib import Path

PRETRAINED = Path(__file__).parent / "words.safetensors"
