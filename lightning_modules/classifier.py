"""WordClassifier: a network with its loss, metrics, optimizer and schedule."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from lightning import LightningModule
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor
from torchmetrics import CatMetric

from datamodules.seeding import step_seed
from lightning_modules.metrics import mean_metrics
from lightning_modules.network import build_network
from lightning_modules.outputs import WordSets, kl_divergence
from lightning_modules.teacher import Teacher
from overlapped_words.errors import RunError
from overlapped_words.settings.component import build

# What torch's schedulers call the number of steps of a training run.
NUM_STEPS = ("total_steps", "T_max", "total_iters")


class WordClassifier(LightningModule):
    """Features `(B, C, F, T)` -> log-probabilities `(B, num_classes)`; trained on soft targets by the output's loss.

    All arguments are plain numbers and strings. The checkpoint stores them, so it predicts waveforms on its own.

    Args:
        class_names: in the order of the outputs.
        network: `_target_`, a subclass of Network in lightning_modules, and its arguments.
        features: arguments of MultiResolutionMel, one channel for each of `win_lengths`.
        optimizer: `_target_`, such as torch.optim.SGD, and its arguments but for the parameters.
        schedule: `_target_`, such as lightning_modules.schedules.WarmupCosine, and its arguments. It gets the optimizer
            and, if it takes that, the number of steps of the training run; it is stepped at every batch.

    With a `teacher`, the KL divergence to its predictions has a share in the loss.
    """

    def __init__(
        self,
        class_names: Sequence[str],
        network: dict[str, Any],
        features: dict[str, Any],
        optimizer: dict[str, Any],
        schedule: dict[str, Any],
    ) -> None:
        super().__init__()
        self.save_hyperparameters(logger=False)
        self.class_names = list(class_names)
        self.network = build_network(network, num_classes=len(self.class_names), in_chans=len(features["win_lengths"]))
        # Convolutions on CPUs and on tensor cores are faster with contiguous channels.
        self.network.to(memory_format=torch.channels_last)
        self.teacher: Teacher | None = None
        self.compiled: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]] | None = None
        self.validated = CatMetric(nan_strategy="disable")  # a row per validation clip, gathered over the devices

    def forward(self, features: Tensor) -> Tensor:
        return self.network.output(self.logits(features))

    def logits(self, features: Tensor) -> Tensor:
        """Features `(B, C, F, T)` -> the network's logits."""
        return self.network.logits(features.contiguous(memory_format=torch.channels_last))

    def logits_and_loss(self, features: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Features `(B, C, F, T)`, targets `(B, num_classes)` -> the network's logits, the output's loss `()`."""
        logits = self.logits(features)
        return logits, self.network.output.loss(logits, targets)

    def compile_step(self, mode: str) -> None:
        """Train through `torch.compile`, in one of its modes: network, loss and their gradients in one graph.

        Only training: all of its batches have one size, those of evaluation differ.
        """
        self.compiled = torch.compile(self.logits_and_loss, mode=mode, dynamic=False)

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        features, targets = batch
        logits, loss = (self.compiled or self.logits_and_loss)(features, targets)
        output = self.network.output
        if self.teacher:
            distillation = kl_divergence(output(logits), self.teacher.probs(features))
            loss = loss.lerp(distillation, self.teacher.weight)
        self.log("train/loss", loss, on_step=True, on_epoch=True, batch_size=len(targets))
        if isinstance(output, WordSets):
            self._log_train_kl(output, logits, targets)
        return loss

    @torch.no_grad()
    def _log_train_kl(self, output: WordSets, logits: Tensor, targets: Tensor) -> None:
        """Log the KL of a batch at every step that is logged: the loss is in other units than val/kl."""
        every = self.trainer.log_every_n_steps  # type: ignore[attr-defined]
        if not every or (self.global_step + 1) % every:
            return
        if number := targets.any(dim=1).sum():  # clips without words have no target
            kl = kl_divergence(output(logits), targets) * len(targets) / number
            self.log("train/kl", kl, on_step=True, on_epoch=True, batch_size=int(number))

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        features, targets = batch
        logits, output = self.logits(features), self.network.output
        columns = [output(logits), targets]
        if isinstance(output, WordSets) and output.num_sizes > 1:
            number = output.log_num_words(logits).argmax(dim=1, keepdim=True) + output.k[0]
            columns.append(number == (targets > 0).sum(dim=1, keepdim=True))
        self.validated.update(torch.cat(columns, dim=1))

    def on_validation_epoch_end(self) -> None:
        """Log the metrics of the whole validation split."""
        rows = self.validated.compute()
        self.validated.reset()
        # Of W devices, device r validates the clips r, r + W, ..., and some repeat a clip so that all have as many.
        rows = rows.unflatten(0, (self.trainer.world_size, -1)).transpose(0, 1).flatten(0, 1)
        rows = rows[: len(self.trainer.val_dataloaders.dataset)]  # type: ignore[union-attr]
        log_probs, targets, right = (
            rows.cpu().double().tensor_split([len(self.class_names), 2 * len(self.class_names)], 1)
        )
        means = mean_metrics(targets.numpy(), log_probs.exp().numpy())
        if right.numel():
            means["num_words"] = float(right.mean())
        self.log_dict({f"val/{name}": value for name, value in means.items()}, prog_bar=True, sync_dist=True)

    def on_train_start(self) -> None:
        self.initial_seed = torch.initial_seed()  # of seed_everything
        if self.teacher:
            self.teacher.networks.to(self.device)

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        # The dropout of a step depends on the step alone, so a resumed run repeats it. 1: not the seed of augmentation.
        torch.manual_seed(step_seed(self.trainer, self.initial_seed, 1))

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        every = self.trainer.log_every_n_steps  # type: ignore[attr-defined]
        if every and batch_idx % every == 0:  # reading the loss makes the host wait for the GPU
            self.trainer.progress_bar_metrics["train/loss"] = self._check_finite(outputs["loss"])

    def on_train_epoch_end(self) -> None:
        metrics = self.trainer.callback_metrics
        self._check_finite(metrics["train/loss_epoch"], *(metrics[name] for name in ("val/kl",) if name in metrics))

    def _check_finite(self, *losses: Tensor) -> float:
        """Return the sum of losses; a RunError, in all processes, if a loss on any device is not finite."""
        total = float(self.trainer.strategy.reduce(torch.stack(losses).sum(), reduce_op="sum"))
        if not math.isfinite(total):
            raise RunError(
                f"the training diverged in epoch {self.trainer.current_epoch + 1}, its loss is {total}; lower "
                "optimizer.lr, and use another name=... or overwrite=true"
            )
        return total

    def configure_optimizers(self) -> OptimizerLRScheduler:
        settings = self.hparams["optimizer"]
        # Fused: one pass over the weights instead of a dozen. In mixed precision, the fused optimizers of torch.optim
        # unscale the gradients themselves, which is too late for clipping: Lightning rejects both together.
        of_torch = settings["_target_"].startswith("torch.optim.")
        fused = not (of_torch and self.trainer.gradient_clip_val and "mixed" in self.trainer.precision)
        optimizer = build("optimizer", settings, params=list(self.parameters()), fused=fused)
        steps = dict.fromkeys(NUM_STEPS, int(self.trainer.estimated_stepping_batches))
        scheduler = build("schedule", self.hparams["schedule"], optimizer=optimizer, **steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}
