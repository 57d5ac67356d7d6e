"""Loggers for W&B and MLflow that resume a run and take what the dashboard writes; settings and results for all."""

import html
import os
import tempfile
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import soundfile
from filelock import FileLock
from lightning import Callback, LightningModule, Trainer
from lightning.pytorch import loggers
from lightning.pytorch.loggers.logger import rank_zero_experiment
from lightning.pytorch.utilities import rank_zero_only
from matplotlib.figure import Figure
from torch import Tensor

from lightning_modules.metrics import METRICS
from overlapped_words.settings.saved import flatten


class WandbLogger(loggers.WandbLogger):
    """One W&B run per member, with its files in `save_dir/wandb`; a resumed member continues its W&B run."""

    def __init__(self, save_dir: str, **options: Any) -> None:
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")  # nothing is sent unless the user goes online
        # create_new: W&B's active run may be that of an earlier member of the sweep in the same process.
        super().__init__(save_dir=save_dir, reinit="create_new", **options)
        self._wandb_init.pop("anonymous", None)  # W&B warns of this option, which Lightning always gives
        self.folder = Path(save_dir, "wandb")

    @property
    @rank_zero_experiment
    def experiment(self) -> Any:
        """The W&B run."""
        if self._wandb_init["id"] is None:  # a folder is named [offline-]run-<time>-<id>
            runs = [path.name.rsplit("-", 2)[1:] for path in self.folder.glob("*run-*-*")]
            self._wandb_init["id"] = max(runs)[1] if runs else None
        return super().experiment

    def finalize(self, status: str) -> None:
        """Finish the W&B run; not at Lightning's "success" after `fit`, because the final metrics follow."""
        super().finalize(status)
        if status != "success" and self._experiment is not None:
            self._experiment.finish(exit_code=int(status == "failed"))

    def add_figure(self, tag: str, figure: Figure, step: int) -> None:
        self.log_image(tag, [figure], step)

    def add_audio(self, tag: str, waveform: Tensor, step: int, sample_rate: int) -> None:
        """Log a waveform of shape `(1, T)`."""
        self.log_audio(f"audio/{tag}", [waveform[0].numpy()], step, sample_rate=[sample_rate])

    def add_text(self, tag: str, text: str, step: int) -> None:
        import wandb

        self.log_metrics({f"text/{tag}": wandb.Html(f"<pre>{html.escape(text)}</pre>")}, step)


class MLFlowLogger(loggers.MLFlowLogger):
    """One MLflow run per member; the file `save_dir/mlflow/run_id` lets a resumed member continue its MLflow run."""

    def __init__(self, save_dir: str, tracking_uri: str, **options: Any) -> None:
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        _, _, database = tracking_uri.partition("sqlite:///")
        # The first member creates the tables of a new database and the experiment; others wait.
        with FileLock(f"{database}.lock") if database else nullcontext():
            file = Path(save_dir, "mlflow", "run_id")
            run_id = file.read_text(encoding="utf-8") if file.exists() else None
            super().__init__(tracking_uri=tracking_uri, run_id=run_id, **options)
            if rank_zero_only.rank == 0:  # type: ignore[attr-defined]
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(str(self.run_id), encoding="utf-8")

    def add_figure(self, tag: str, figure: Figure, step: int) -> None:
        self.experiment.log_figure(self.run_id, figure, f"{tag}/step_{step:06}.png")

    def add_audio(self, tag: str, waveform: Tensor, step: int, sample_rate: int) -> None:
        """Log a waveform of shape `(1, T)`."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, f"{tag}.wav")
            soundfile.write(path, waveform[0].numpy(), sample_rate)
            self.experiment.log_artifact(self.run_id, str(path), "audio")

    def add_text(self, tag: str, text: str, step: int) -> None:
        self.experiment.log_text(self.run_id, text, f"text/{tag}.md")


class LogSettings(Callback):
    """Log the settings when a training run starts; for TensorBoard, `log_results` does it."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.settings = logged_settings(config)

    def on_fit_start(self, trainer: Trainer, learner: LightningModule) -> None:
        for logger in trainer.loggers:
            if not isinstance(logger, loggers.TensorBoardLogger):
                logger.log_hyperparams(self.settings)


def logged_settings(config: dict[str, Any]) -> dict[str, Any]:
    """The settings that loggers show, by dotted name."""
    # First those in which members and experiments differ: TensorBoard's table shows the first few.
    settings = flatten({group: config[group] for group in ("model", "optimizer", "schedule", "seed")})
    return settings | {"batch_size": config["data"]["batch_size"], "max_epochs": config["trainer"]["max_epochs"]}


def log_results(trainer_loggers: Sequence[loggers.Logger], config: dict[str, Any], metrics: dict[str, float]) -> None:
    """Log the final metrics and close the loggers."""
    final = {f"final/{name}": value for name, value in metrics.items() if name.endswith((*METRICS, "loss"))}
    for logger in trainer_loggers:
        if isinstance(logger, loggers.TensorBoardLogger):
            logger.log_hyperparams(logged_settings(config), final)  # its HPARAMS tab needs both together
        else:
            logger.log_metrics(final)
        logger.finalize("finished")  # after `fit`, Lightning calls it with "success" or "failed"
