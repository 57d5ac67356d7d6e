"""The results of a training: tables of predictions, their scores, the cost of the training."""

import resource
import sys
from collections.abc import Mapping
from io import BytesIO
from itertools import islice
from typing import Any, Protocol

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from datamodules.progress import Progress
from lightning_modules.classifier import WordClassifier, topk_recall, uniform_kl
from lightning_modules.outputs import WordSets, kl_divergence
from overlapped_words.errors import RunError
from overlapped_words.messages import count, duration
from overlapped_words.runs.files import write_bytes, write_text
from overlapped_words.runs.folder import RunFolder
from overlapped_words.runs.reading import read_epochs
from overlapped_words.runs.tables import PROB_FLOOR, write_table


class Data(Protocol):
    """The part of the data module's interface that is used here."""

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
    """Probabilities `(N, num_classes)` of the validation and test clips, by split; the source may lack either.

    In float32, regardless of the training's precision. On one device, so that the tables of a distributed training are
    complete and in order, too. `num_batches` limits the batches of each split.

    Raises:
        RunError: probabilities are not finite.
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
                "optimizer.lr, and use another name=... or overwrite=true"
            )
    return predictions


@torch.inference_mode()
def write_any_word(folder: RunFolder, learner: WordClassifier, datamodule: Data, device: torch.device) -> None:
    """Write any_word.csv: for clips with words and for clips without, the probability that there are any.

    Nothing is written if all training clips have words.
    """
    splits, output = datamodule.splits, learner.network.output
    if splits.no_words is None or not isinstance(output, WordSets):
        return
    learner.eval().to(device)
    tables = []
    for clips, has_words in ((splits.test or splits.val, 1), (splits.no_words, 0)):
        batches = [clips.__getitems__(rows)[0] for rows in np.array_split(np.arange(len(clips)), -(-len(clips) // 64))]
        logits = torch.cat([learner.logits(datamodule.to_features(batch.to(device))) for batch in batches])
        any_word = 1 - output.log_num_words(logits)[:, 0].exp().cpu()
        tables.append(pd.DataFrame({"id": clips.ids, "has_words": has_words, "any_word": any_word.numpy()}))
    write_text(folder.path / "any_word.csv", pd.concat(tables).to_csv(index=False, float_format="%.6g"))


def write_predictions(folder: RunFolder, datamodule: Data, predictions: dict[str, Tensor]) -> dict[str, float]:
    """Write the tables of predictions and, if known, of targets. Returns the scores of the predictions."""
    metrics = {}
    names, columns = datamodule.class_names, datamodule.splits.columns
    header = {"val": [columns[0], *names], "test": columns}  # the submission's columns, in its order
    for split, probs in predictions.items():
        clips = datamodule.fixed_splits[split]
        order = [names.index(name) for name in header[split][1:]]
        prefix = "" if split == "test" else f"{split}_"
        if clips.targets is not None:
            targets = torch.from_numpy(clips.targets)
            metrics[f"{split}_kl"] = float(kl_divergence(probs.clamp(min=PROB_FLOOR).log(), targets))
            metrics[f"{split}_recall"] = float(topk_recall(probs, targets))
            metrics[f"{split}_kl_constant"] = float(uniform_kl(targets))
            write_table(folder.path / f"{split}_answers.csv", header[split], clips.ids, clips.targets[:, order])
        write_table(folder.path / f"{prefix}predictions.csv", header[split], clips.ids, probs.numpy()[:, order])
        rows = BytesIO()  # of the cached array, where ensemble.py finds the clips' audio
        np.save(rows, clips.rows.astype(np.int32))
        write_bytes(folder.path / f"{prefix}cache_rows.npy", rows.getvalue())
    return metrics


def training_cost(folder: RunFolder) -> dict[str, Any]:
    """Loss, time, speed and memory of the training, from the table of epochs: time between interruptions only."""
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


def print_summary(folder: RunFolder, metrics: dict[str, Any]) -> None:
    """Print the results of a run."""
    lines = {"training loss": f"{metrics['train_loss']:.4f}"}
    for split, name in (("val", "validation"), ("test", "test")):
        if f"{split}_kl" in metrics:
            lines[f"{name} KL"] = "{:.4f} (uniform prediction {:.4f}), recall {:.1%}".format(
                *(metrics[f"{split}_{metric}"] for metric in ("kl", "kl_constant", "recall"))
            )
    lines["training"] = f"{count(metrics['epochs'], 'epoch')} in {duration(metrics['train_seconds'])}"
    lines["speed"] = f"{metrics['clips_per_second']:.1f} clips/s"
    lines["peak memory"] = f"{metrics['peak_memory_gb']:.2f} GB"
    lines["folder"] = str(folder.path)
    print("\n".join(f"{name:>14}  {value}" for name, value in lines.items()), flush=True)
