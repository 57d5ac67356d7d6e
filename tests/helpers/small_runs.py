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
# The same on the word folder `words`.
TINY_WORDS = ["data=words", "data.root=words", "data.k=2", "data.train_size=16", "data.val_size=8", "data.test_size=8"]
TINY_WORDS += ["data.batch_size=8", "trainer.max_epochs=1", "callbacks.dashboard=null"]


def write_data(root: Path) -> Path:
    """A competition of three words that a small network can learn."""
    return write_competition(root, num_train=32, num_test=6, words=WORDS, tones=True)


def data(home: Path) -> list[str]:
    """The settings of a run on `home/Data`, with a cache in `home`."""
    return [f"data.root={home / 'Data'}", f"data.cache_dir={home / 'cache'}"]


def crash(epoch: int | str, flag: Path) -> str:
    """The setting of a callback that raises in `epoch`, from 0, unless the file `flag` exists, which it then makes."""
    return f"+callbacks.crash={{_target_: tests.helpers.callbacks.Crash, epoch: {epoch}, flag: {flag}}}"


def metrics_of(member: Path) -> dict[str, Any]:
    return json.loads((member / "metrics.json").read_text(encoding="utf-8"))
