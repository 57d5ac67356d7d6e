"""What a finished run came to: its tables of predictions, its figures, what it cost."""

import resource
import sys
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any, Protocol

import torch
from lightning.pytorch.loggers import Logger
from torch import Tensor
from torch.utils.data import DataLoader

from datamodules.progress import Progress
from errors import RunError
from lightning_modules.classifier import WordClassifier, kl_divergence, topk_recall, uniform_kl
from messages import count, duration
from runs.differences import flatten
from runs.folder import RunFolder
from runs.reading import read_epochs
from runs.tables import PROB_FLOOR, write_table


class Data(Protocol):
    """What is asked of the data module."""

    splits: Any
    class_names: list[str]

    @property
    def fixed_splits(self) -> Mapping[str, Any]: ...
    def predict_dataloader(self) -> list[DataLoader]: ...
    def to_features(self, clips: Tensor) -> Tensor: ...


@torch.inference_mode()
def predict(
    learner: WordClassifier, datamodule: Data, device: torch.device, num_batches: int | None = None
) -> dict[str, Tensor]:
    """Probabilities `(N, num_classes)` of the validation and test clips, as far as the source has them.

    In float32, as the recipe has it, whatever the precision of the training; on one device, so that after a
    distributed training too the tables are complete and in order. Only `num_batches` of each, if given.

    Raises:
        RunError: probabilities that are not finite.
    """
    learner.eval().to(device)
    predictions = {}
    for (split, clips), loader in zip(datamodule.fixed_splits.items(), datamodule.predict_dataloader(), strict=True):
        batches = []
        with Progress(len(clips), f"predicting {split}") as progress:
            for batch, _ in islice(loader, num_batches):
                batches.append(learner(datamodule.to_features(batch.to(device))).exp().cpu())
                progress.update(len(batch))
        predictions[split] = torch.cat(batches)
        if not predictions[split].isfinite().all():
            raise RunError(
                f"the training diverged in its last step, its predictions of the {split} clips are not finite; lower "
                "optimizer.lr, and give another name=... or overwrite=true"
            )
    return predictions


def write_predictions(folder: RunFolder, datamodule: Data, predictions: dict[str, Tensor]) -> dict[str, float]:
    """Tables of predictions and, where they are known, of answers -> what they score."""
    figures = {}
    names, columns = datamodule.class_names, datamodule.splits.columns
    header = {"val": [columns[0], *names], "test": columns}  # the test table is what the source's submission wants
    for split, probs in predictions.items():
        clips = datamodule.fixed_splits[split]
        order = [names.index(name) for name in header[split][1:]]
        prefix = "" if split == "test" else f"{split}_"
        if clips.targets is not None:
            targets = torch.from_numpy(clips.targets)
            figures[f"{split}_kl"] = float(kl_divergence(probs.clamp(min=PROB_FLOOR).log(), targets))
            figures[f"{split}_recall"] = float(topk_recall(probs, targets))
            figures[f"{split}_kl_constant"] = float(uniform_kl(targets))
            write_table(folder.path / f"{split}_answers.csv", header[split], clips.ids, clips.targets[:, order])
        write_table(folder.path / f"{prefix}predictions.csv", header[split], clips.ids, probs.numpy()[:, order])
    return figures


def cost(folder: RunFolder) -> dict[str, Any]:
    """What the training took, interruptions left out: from the table of epochs, which a resumed run goes on with."""
    epochs = read_epochs(folder.path / "metrics.csv")
    resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    memory = torch.cuda.max_memory_allocated() if torch.cuda.is_available() else resident
    return {
        "train_loss": float(epochs["train/loss"].iloc[-1]),
        "epochs": len(epochs),
        "train_seconds": float(epochs["seconds"].sum()),
        "clips_per_second": float(epochs["train/clips_per_second"].median()),
        "peak_memory_gb": memory / 1e9,
    }


def log_settings(loggers: Sequence[Logger], config: dict[str, Any], figures: dict[str, float]) -> None:
    """The run's settings beside what they reached, for TensorBoard's HPARAMS."""
    reached = {f"final/{name}": value for name, value in figures.items() if name.endswith(("kl", "recall", "loss"))}
    # The table there shows the first few names: those that members and experiments differ in.
    settings = flatten({group: config[group] for group in ("model", "optimizer", "schedule", "seed")})
    settings |= {"batch_size": config["data"]["batch_size"], "max_epochs": config["trainer"]["max_epochs"]}
    for logger in loggers:
        logger.log_hyperparams(settings, reached)
        logger.finalize("success")


def print_summary(folder: RunFolder, figures: dict[str, Any]) -> None:
    """The one block that a run ends with."""
    lines = {"training loss": f"{figures['train_loss']:.4f}"}
    for split, name in (("val", "validation"), ("test", "test")):
        if f"{split}_kl" in figures:
            lines[f"{name} KL"] = "{:.4f} (constant answer {:.4f}), {:.1%} of the words recalled".format(
                *(figures[f"{split}_{figure}"] for figure in ("kl", "kl_constant", "recall"))
            )
    lines["training"] = f"{count(figures['epochs'], 'epoch')} in {duration(figures['train_seconds'])}"
    lines["speed"] = f"{figures['clips_per_second']:.1f} clips/s"
    lines["peak memory"] = f"{figures['peak_memory_gb']:.2f} GB"
    lines["folder"] = str(folder.path)
    print("\n".join(f"{name:>14}  {value}" for name, value in lines.items()), flush=True)
