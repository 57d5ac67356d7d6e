"""Checkpoints that are whole or not there."""

import io
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins import TorchCheckpointIO

from runs.folder import write_bytes


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes beside the old checkpoint and then renames, so that a kill or a full disk leaves the old one.

    Lightning's own writes to the system's temporary folder: from another disk the move is a copy that can be cut short.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        buffer = io.BytesIO()  # in memory: where a disk is full, the error can tell the size
        torch.save(checkpoint, buffer)
        write_bytes(Path(path), buffer.getbuffer())
