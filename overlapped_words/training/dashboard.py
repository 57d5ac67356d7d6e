"""The callback that writes audio and plots to TensorBoard, W&B or MLflow."""

from typing import Any

import torch
from lightning import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.utilities.model_summary import summarize

from datamodules.waveforms import SAMPLE_RATE
from overlapped_words.messages import printable
from overlapped_words.plots import draw_features, draw_predictions


class Dashboard(Callback):
    """Write audio and features of a few clips, before and after augmentation, and the table of the network's layers.

    After the validation of every `every_n_epochs`-th epoch, write a plot of the predictions and the targets.
    """

    def __init__(self, num_clips: int, every_n_epochs: int = 1) -> None:
        self.num_clips, self.every_n_epochs = num_clips, every_n_epochs

    def on_train_start(self, trainer: Trainer, learner: LightningModule) -> None:
        data = trainer.datamodule  # type: ignore[attr-defined]
        self.class_names = data.class_names
        waveforms, self.targets = data.examples(self.num_clips)
        self.features = data.features.cpu()(waveforms)
        writers = _writers(trainer)
        if not writers or trainer.current_epoch > 0:  # a resumed run has written them already
            return
        with torch.random.fork_rng():  # must not change the random numbers of the training run
            augmented, _ = data.augment(self.features, self.targets)
        figures = {
            f"{name}/clip_{i}": draw_features(clip, data.features.win_lengths)
            for name, batch in (("features", self.features), ("features_augmented", augmented))
            for i, clip in enumerate(batch)
        }
        for writer in writers:
            for i, (waveform, target) in enumerate(zip(waveforms, self.targets, strict=True)):
                words = ", ".join(self.class_names[word] for word in target.nonzero().flatten())
                writer.add_audio(f"clip_{i}", waveform[None], 0, SAMPLE_RATE)
                writer.add_text(f"clip_{i}", verbatim(words), 0)
            for tag, figure in figures.items():
                writer.add_figure(tag, figure, 0)
            writer.add_text("network", verbatim(str(summarize(learner, 3))), 0)

    def on_validation_end(self, trainer: Trainer, learner: LightningModule) -> None:
        writers = _writers(trainer)
        if not writers or trainer.sanity_checking or trainer.current_epoch % self.every_n_epochs:
            return
        with torch.no_grad():
            probs = learner(self.features.to(learner.device)).float().exp().cpu()
        figure = draw_predictions(probs, self.targets, self.class_names)
        for writer in writers:
            writer.add_figure("predicted_and_true", figure, trainer.global_step)


def _writers(trainer: Trainer) -> list[Any]:
    """The loggers that take figures, audio and text as TensorBoard does; none in a process that does not log."""
    loggers = trainer.loggers if trainer.is_global_zero else []
    writers = [logger.experiment if isinstance(logger, TensorBoardLogger) else logger for logger in loggers]
    return [writer for writer in writers if hasattr(writer, "add_figure")]


def verbatim(text: str) -> str:
    """Format text as a Markdown code block, since TensorBoard renders text as Markdown."""
    return "\n".join(f"    {printable(line)}" for line in text.splitlines())
