"""The callback that puts sound and pictures into TensorBoard."""

from collections.abc import Sequence

import torch
from lightning import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.utilities.model_summary import summarize
from matplotlib.figure import Figure
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter


class Dashboard(Callback):
    """Shows a few clips: their sound, their features before and after augmentation, and after every
    `every_n_epochs`-th validation what is predicted of them beside the truth. Also the table of the network's layers.
    """

    def __init__(self, num_clips: int = 4, every_n_epochs: int = 1) -> None:
        self.num_clips, self.every_n_epochs = num_clips, every_n_epochs

    def on_train_start(self, trainer: Trainer, learner: LightningModule) -> None:
        data = trainer.datamodule  # type: ignore[attr-defined]
        self.class_names = data.class_names
        waveforms, self.targets = data.examples(self.num_clips)
        self.features = data.features.cpu()(waveforms)
        writer = _writer(trainer)
        if writer is None or trainer.current_epoch > 0:  # a resumed run has shown them already
            return
        sample_rate = data.feature_options["sample_rate"]
        for i, (waveform, target) in enumerate(zip(waveforms, self.targets, strict=True)):
            said = ", ".join(self.class_names[word] for word in target.nonzero().flatten())
            writer.add_audio(f"clip_{i}", waveform[None], 0, sample_rate)
            writer.add_text(f"clip_{i}", said, 0)
        with torch.random.fork_rng():  # looking at an augmentation must not change the draws of the training
            augmented, _ = data.augment(self.features, self.targets)
        duration = waveforms.shape[1] / sample_rate
        for name, batch in (("features", self.features), ("features_augmented", augmented)):
            for i, clip in enumerate(batch):
                writer.add_figure(f"{name}/clip_{i}", draw_features(clip, data.features.win_lengths, duration), 0)
        writer.add_text("network", "\n".join(f"    {line}" for line in str(summarize(learner, 3)).splitlines()), 0)

    def on_validation_end(self, trainer: Trainer, learner: LightningModule) -> None:
        writer = _writer(trainer)
        if writer is None or (not trainer.training and not trainer.validating):
            return
        if trainer.current_epoch % self.every_n_epochs:
            return
        with torch.no_grad():
            probs = learner(self.features.to(learner.device)).float().exp().cpu()
        figure = draw_predictions(probs, self.targets, self.class_names)
        writer.add_figure("predicted_and_true", figure, trainer.global_step)


def _writer(trainer: Trainer) -> SummaryWriter | None:
    loggers = [logger for logger in trainer.loggers if isinstance(logger, TensorBoardLogger)]
    return loggers[0].experiment if loggers and trainer.is_global_zero else None


def draw_features(features: Tensor, win_lengths: Sequence[int], duration: float) -> Figure:
    """The pictures of one clip, `(C, F, T)`, two in a row on one scale; `duration` in seconds."""
    rows = (len(features) + 1) // 2
    figure = Figure(figsize=(6, 1 + 2.2 * rows), layout="constrained")
    axes = figure.subplots(rows, 2, sharex=True, sharey=True, squeeze=False).flatten()
    for axis, picture, win_length in zip(axes, features, win_lengths, strict=False):
        extent = (0, duration, 0, len(picture))
        image = axis.imshow(picture, origin="lower", aspect="auto", extent=extent, vmin=-3, vmax=3, cmap="magma")
        axis.set_title(f"window of {win_length} samples")
    figure.supxlabel("time (s)")
    figure.supylabel("mel band")
    figure.colorbar(image, ax=axes, label="20 dB above the clip's mean")
    return figure


def draw_predictions(probs: Tensor, targets: Tensor, class_names: Sequence[str]) -> Figure:
    """Predicted bars beside true ones, `(N, num_classes)` both, a column a clip."""
    figure = Figure(figsize=(2.6 * len(probs), 1 + 0.22 * len(class_names)), layout="constrained")
    axes = figure.subplots(1, len(probs), sharey=True, sharex=True, squeeze=False)[0]
    words = torch.arange(len(class_names))
    for i, axis in enumerate(axes):
        axis.barh(words, targets[i], height=0.9, color="0.82", label="true")
        axis.barh(words, probs[i], height=0.45, color="tab:red", label="predicted")
        axis.set(title=f"clip {i}", xlabel="probability", ylim=(len(class_names) - 0.4, -0.6))
    axes[0].set_yticks(words, class_names)
    axes[-1].legend(loc="lower right")
    return figure
