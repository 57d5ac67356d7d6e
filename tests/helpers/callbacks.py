"""A callback that tests add to a run: +callbacks.x={_target_: tests.helpers.callbacks.Crash, ...}"""

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
