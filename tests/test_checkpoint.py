"""A failed write leaves the old checkpoint."""

import errno
from pathlib import Path

import pytest
import torch

from overlapped_words.errors import RunError
from overlapped_words.training.checkpoint_io import AtomicCheckpointIO


def test_a_failed_write_leaves_the_old_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "checkpoints" / "last.ckpt"
    writer = AtomicCheckpointIO()
    writer.save_checkpoint({"epoch": 1}, path)

    def full_disk(file: Path, content: memoryview) -> None:
        with file.open("wb") as half:
            half.write(content[:100])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full_disk)
    with pytest.raises(RunError, match=f"^{path}: no space left on the disk; it needs 4.0 MB and .*B are free; free"):
        writer.save_checkpoint({"weights": torch.zeros(1_000_000)}, path)
    assert writer.load_checkpoint(path) == {"epoch": 1}
    assert [file.name for file in path.parent.iterdir()] == ["last.ckpt"]
