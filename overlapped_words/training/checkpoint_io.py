"""Atomic checkpoint writing."""

import io
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins import TorchCheckpointIO

from overlapped_words.runs.files import write_bytes


class AtomicCheckpointIO(TorchCheckpointIO):
    """Write a checkpoint next to the old one, then rename it: a kill or a full disk leaves the old one.

    Lightning writes to the system's temporary folder and then moves the file. From another disk, that is a copy, and
    a kill can leave part of it.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        buffer = io.BytesIO()
        torch.save(checkpoint, buffer)
        write_bytes(Path(path), buffer.getbuffer())
