"""Distillation: an ensemble's answers take the place of the training targets."""

from pathlib import Path

import torch
from lightning import Callback, LightningModule, Trainer
from torch import Tensor, nn

from errors import RunError
from inference.checkpoints import find_checkpoints
from inference.member import load_member


class Teacher(Callback):
    """At every step the ensemble in `run_dir` answers the very batch that the student is about to learn, augmentation
    and mixup included; its probabilities make up `weight` of the targets, the data's own answers the rest.

    Raises:
        RunError: at the start, if the teacher knows other words or looks at other features than the student.

    Source: Hinton et al., arXiv 1503.02531; that teacher and student should see one and the same picture, and for
    long: Beyer et al., arXiv 2106.05237.
    """

    def __init__(self, run_dir: str, weight: float = 1.0) -> None:
        if not 0 < weight <= 1:
            raise RunError(f"callbacks.teacher.weight is {weight}; choose a share of the targets, above 0 and up to 1")
        self.run_dir, self.weight = Path(run_dir), weight
        self.networks: list[nn.Module] = []

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        for path in find_checkpoints(self.run_dir):
            member = load_member(path)
            if member.class_names != pl_module.class_names:
                raise RunError(f"{path} knows other words than the data; train a teacher on the data's words")
            if member.feature_settings != pl_module.hparams["features"]:
                raise RunError(
                    f"{path} was trained on other features than its student ({member.feature_settings}); "
                    "give the student the same, features.*=..."
                )
            self.networks.append(member.network.folded().to(pl_module.device))

    @torch.no_grad()
    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: tuple[Tensor, Tensor], batch_idx: int
    ) -> None:
        features, targets = batch
        features = features.contiguous(memory_format=torch.channels_last)
        with trainer.precision_plugin.forward_context():
            probs = [network(features).exp() for network in self.networks]
        targets.lerp_(torch.stack(probs).mean(dim=0), self.weight)
