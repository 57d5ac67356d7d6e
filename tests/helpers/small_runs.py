"""Runs of train.py that take seconds: their data and their settings."""

import json
from pathlib import Path
from typing import Any

from tests.helpers.fake_recordings import write_competition

WORDS = ["no", "on", "영"]
TINY = [
    "experiment=smoke",
    "data=competition",
    "features={n_mels: 48, hop_length: 320, pad: 160, win_lengths: [500, 1000]}",
    "model.width=2",
    "augment=winner",
    "augment.transforms.1.padding=8",
    "data.batch_size=8",
    "data.val_fraction=0.25",
    "trainer.limit_train_batches=1.0",
    "callbacks.dashboard.num_clips=1",  # most of the time of so short a run is spent on drawing
]


def write_data(root: Path, num_test: int = 6, num_train: int = 32) -> Path:
    """A competition of three words that a small network can learn."""
    return write_competition(root, num_train, num_test, WORDS, tones=True)


def data(home: Path) -> list[str]:
    """The settings of a run on `home/Data`, with a cache in `home`."""
    return [f"data.root={home / 'Data'}", f"data.cache_dir={home / 'cache'}"]


def crash(epoch: int | str, flag: Path) -> str:
    """The setting of a callback that raises in `epoch`, from 0, unless the file `flag` exists, which it then makes."""
    return f"+callbacks.crash={{_target_: tests.helpers.callbacks.Crash, epoch: {epoch}, flag: {flag}}}"


def metrics_of(member: Path) -> dict[str, Any]:
    return json.loads((member / "metrics.json").read_text(encoding="utf-8"))


def write_finished(home: Path) -> Path:
    """Data and the complete run outputs/competition/avg_seed0 in `home`, with what train.py reads of it."""
    write_competition(home / "data")
    run_dir = home / "outputs" / "competition" / "avg_seed0"
    (run_dir / "checkpoints").mkdir(parents=True)
    (run_dir / "checkpoints" / "last.ckpt").write_bytes(b"weights")
    (run_dir / "metrics.json").write_text('{"status": "complete", "pool": "avg", "seed": 0, "objective": 1.0}')
    return home
