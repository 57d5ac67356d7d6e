"""What is logged besides the curves of an epoch: settings and final metrics."""

from collections.abc import Sequence
from typing import Any

from lightning import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import Logger, TensorBoardLogger

from lightning_modules.metrics import METRICS
from overlapped_words.runs.differences import flatten


class LogSettings(Callback):
    """Log the settings when a training starts; for TensorBoard, `log_results` does it."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.settings = logged_settings(config)

    def on_fit_start(self, trainer: Trainer, learner: LightningModule) -> None:
        for logger in trainer.loggers:
            if not isinstance(logger, TensorBoardLogger):
                logger.log_hyperparams(self.settings)


def logged_settings(config: dict[str, Any]) -> dict[str, Any]:
    """The settings that loggers show, by dotted name."""
    # First those in which members and experiments differ: TensorBoard's table shows the first few.
    settings = flatten({group: config[group] for group in ("model", "optimizer", "schedule", "seed")})
    return settings | {"batch_size": config["data"]["batch_size"], "max_epochs": config["trainer"]["max_epochs"]}


def log_results(loggers: Sequence[Logger], config: dict[str, Any], metrics: dict[str, float]) -> None:
    """Log the final metrics and close the loggers."""
    final = {f"final/{name}": value for name, value in metrics.items() if name.endswith((*METRICS, "loss"))}
    for logger in loggers:
        if isinstance(logger, TensorBoardLogger):
            logger.log_hyperparams(logged_settings(config), final)  # its HPARAMS tab needs both together
        else:
            logger.log_metrics(final)
        logger.finalize("finished")  # after `fit`, Lightning calls it with "success" or "failed"
