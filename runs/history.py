"""The table of epochs: one row an epoch in metrics.csv, one line an epoch in the log where there is no progress bar."""

import logging
import time
from pathlib import Path
from typing import Any

import pandas as pd
from lightning import Callback, LightningModule, Trainer

from runs.folder import write_text
from runs.reading import read_epochs

log = logging.getLogger(__name__)


class History(Callback):
    """Writes `path` after every epoch. A resumed run goes on in the same table, from the epoch it resumes at.

    Columns: epoch, step, the epoch's mean training loss and validation figures, learning rate at its end, clips/s of
    training (validation not counted) and seconds (validation counted).
    """

    def __init__(self, path: str) -> None:
        self.path = Path(path)
        self.rows: list[dict[Any, float]] = []

    def on_train_start(self, trainer: Trainer, learner: LightningModule) -> None:
        table = read_epochs(self.path)
        if len(table):
            self.rows = table[table.epoch < trainer.current_epoch].to_dict("records")

    def on_train_epoch_start(self, trainer: Trainer, learner: LightningModule) -> None:
        self.clips, self.start = 0, time.perf_counter()

    def on_train_batch_end(
        self, trainer: Trainer, learner: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self.clips += len(batch[1]) * trainer.world_size
        self.trained = time.perf_counter()

    def on_train_epoch_end(self, trainer: Trainer, learner: LightningModule) -> None:
        rate = self.clips / (self.trained - self.start)
        learner.log("train/clips_per_second", rate, rank_zero_only=True)
        if not trainer.is_global_zero or trainer.fast_dev_run:  # type: ignore[attr-defined]
            return
        logged = {name: float(value) for name, value in trainer.callback_metrics.items()}
        row = {
            "epoch": trainer.current_epoch,
            "step": trainer.global_step,
            "train/loss": logged["train/loss_epoch"],
            **{name: value for name, value in logged.items() if name.startswith("val/")},
            "lr": trainer.optimizers[0].param_groups[0]["lr"],
            "train/clips_per_second": rate,
            "seconds": time.perf_counter() - self.start,
        }
        self.rows.append(row)
        write_text(self.path, pd.DataFrame(self.rows).to_csv(index=False, float_format="%.6g"))
        if trainer.progress_bar_callback is None:
            shown = ("train/loss", "val/kl", "val/recall", "train/clips_per_second")
            figures = ", ".join(f"{name} {row[name]:.4g}" for name in shown if name in row)
            log.info("epoch %d of %d: %s", row["epoch"] + 1, trainer.max_epochs, figures)
