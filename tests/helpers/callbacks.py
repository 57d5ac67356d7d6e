"""Callbacks that tests add to a run: +callbacks.x={_target_: tests.helpers.callbacks...}"""

import gc
from pathlib import Path

from lightning import Callback, LightningModule, Trainer


class Crash(Callback):
    """Raises at the second batch of epoch `epoch` (from 0), once: `flag` is a file that exists once it has."""

    def __init__(self, epoch: int, flag: str) -> None:
        self.epoch, self.flag = epoch, Path(flag)

    def on_train_batch_end(self, trainer: Trainer, learner: LightningModule, outputs, batch, batch_idx: int) -> None:
        if trainer.current_epoch == self.epoch and batch_idx == 1 and not self.flag.exists():
            self.flag.touch()
            raise RuntimeError("crashed on purpose")


class Memory(Callback):
    """Writes the process's resident memory, in pages, at the end of every training."""

    def __init__(self, path: str) -> None:
        self.path = Path(path)

    def on_fit_end(self, trainer: Trainer, learner: LightningModule) -> None:
        gc.collect()
        with self.path.open("a") as file:
            file.write(Path("/proc/self/statm").read_text().split()[1] + "\n")
