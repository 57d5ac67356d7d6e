"""Log training by epoch: a row in metrics.csv and, without a progress bar, a line in the log."""

import logging
import time
from pathlib import Path
from typing import Any

import pandas as pd
from lightning import Callback, LightningModule, Trainer

from datamodules.progress import Progress
from lightning_modules.metrics import METRICS
from overlapped_words.runs.files import write_text
from overlapped_words.runs.reading import read_epochs

log = logging.getLogger(__name__)


class EpochCSVLogger(Callback):
    """Write a row to `path` after every epoch; a resumed run continues the table.

    Columns: epoch, step, the epoch's mean training loss and validation metrics, the learning rate at its end, training
    clips and clips/s (excluding validation), and seconds (including validation).
    """

    def __init__(self, path: str) -> None:
        self.path = Path(path)

    def on_train_start(self, trainer: Trainer, learner: LightningModule) -> None:
        steps = int(trainer.estimated_stepping_batches)
        self.progress = Progress(steps, "training", "step", done=trainer.global_step, bar=False)
        rows = read_epochs(self.path).to_dict("records")
        self.rows: list[dict[Any, Any]] = [row for row in rows if row["epoch"] < trainer.current_epoch]

    def on_train_epoch_start(self, trainer: Trainer, learner: LightningModule) -> None:
        self.clips, self.start = 0, time.perf_counter()

    def on_train_batch_end(
        self, trainer: Trainer, learner: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self.clips += len(batch[1]) * trainer.world_size
        self.trained = time.perf_counter()
        if trainer.is_global_zero and trainer.progress_bar_callback is None:
            self.progress.update(trainer.global_step - self.progress.done)

    def on_train_epoch_end(self, trainer: Trainer, learner: LightningModule) -> None:
        rate = self.clips / (self.trained - self.start)
        learner.log("train/clips_per_second", rate, rank_zero_only=True)
        if not trainer.is_global_zero or trainer.fast_dev_run:  # type: ignore[attr-defined]
            return
        logged = {name: float(value) for name, value in trainer.callback_metrics.items()}
        row = {
            "epoch": trainer.current_epoch,
            "step": trainer.global_step,
            **{name: logged[f"{name}_epoch"] for name in ("train/loss", "train/kl") if f"{name}_epoch" in logged},
            **{name: value for name, value in logged.items() if name.startswith("val/")},
            "lr": trainer.optimizers[0].param_groups[0]["lr"],
            "train/clips": self.clips,
            "train/clips_per_second": rate,
            "seconds": time.perf_counter() - self.start,
        }
        self.rows.append(row)
        write_text(self.path, pd.DataFrame(self.rows).to_csv(index=False, float_format="%.6g"))
        if trainer.progress_bar_callback is None:
            shown = ("train/loss", "train/kl", *(f"val/{name}" for name in METRICS), "train/clips_per_second")
            metrics = ", ".join(f"{name} {row[name]:.4g}" for name in shown if name in row)
            left = f"; {self.progress.time_left}" if row["epoch"] + 1 < trainer.max_epochs else ""
            log.info("epoch %d of %d: %s%s", row["epoch"] + 1, trainer.max_epochs, metrics, left)
            self.progress.line_printed()
