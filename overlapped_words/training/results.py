"""The results of a run: tables of predictions, their metrics, the cost of training."""

import resource
import sys
from datetime import timedelta
from itertools import islice
from typing import Any

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor

from datamodules.overlap import OverlapDataModule
from datamodules.progress import Progress
from datamodules.waveforms import SAMPLE_RATE
from lightning_modules.classifier import WordClassifier
from lightning_modules.metrics import METRICS, format_metric, mean_metrics
from lightning_modules.outputs import WordSets
from overlapped_words.errors import RunError
from overlapped_words.inference.events import EventRule
from overlapped_words.messages import count
from overlapped_words.runs.files import write_text
from overlapped_words.runs.folder import RunFolder
from overlapped_words.runs.reading import read_epochs
from overlapped_words.tables import format_table


@torch.inference_mode()
def predict(
    learner: WordClassifier, datamodule: OverlapDataModule, device: torch.device, num_batches: int | None = None
) -> dict[str, Tensor]:
    """Probabilities `(N, num_classes)` of the validation and test clips, by split; the source may lack either.

    In float32, regardless of the precision of training. On one device, so that the tables of distributed training are
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
def write_without_words(folder: RunFolder, learner: WordClassifier, datamodule: OverlapDataModule) -> dict[str, float]:
    """Write how well clips with words differ from clips without, unless all training clips have words.

    any_word.csv has the probability that there are any words. event_score.csv has the score of each word of a clip or,
    for a clip without words, the highest score of any word: its lowest presence in windows about the clip, as
    `EventRule` defines it. Call `predict` before.

    Returns:
        The shares of clips with words that are missed and of clips without that are false alarms, at a probability of
        0.5; empty if nothing is written.
    """
    splits, output = datamodule.splits, learner.network.output
    with_words = splits.test if splits.test and splits.test.targets is not None else splits.val
    if with_words is None or splits.no_words is None or not isinstance(output, WordSets):
        return {}
    rule = EventRule()
    shifts = [round((i - (rule.windows - 1) / 2) * rule.hop * SAMPLE_RATE) for i in range(rule.windows)]
    any_words, scores = [], []
    for clips, has_words in ((with_words, 1), (splits.no_words, 0)):
        lowest, probs = [], []
        for i in range(0, len(clips), 64):
            batch = clips.batch(range(i, min(i + 64, len(clips)))).clips.to(learner.device)
            shifted = [F.pad(batch, (shift, -shift)) for shift in [0, *shifts]]
            center, *around = [learner.logits(datamodule.to_features(waveforms)) for waveforms in shifted]
            probs.append(1 - output.log_num_words(center)[:, 0].exp())
            lowest.append(torch.stack([output.presence(logits) for logits in around]).amin(dim=0))
        assert clips.targets is not None
        score = torch.cat(lowest).cpu().numpy()
        rows, words = np.nonzero(clips.targets) if has_words else (np.arange(len(score)), score.argmax(axis=1))
        any_words.append(pd.DataFrame({"id": clips.ids, "has_words": has_words, "any_word": torch.cat(probs).cpu()}))
        ids = np.array(clips.ids)[rows]
        scores.append(pd.DataFrame({"id": ids, "has_words": has_words, "event_score": score[rows, words]}))
    for name, tables in (("any_word", any_words), ("event_score", scores)):
        write_text(folder.path / f"{name}.csv", pd.concat(tables).to_csv(index=False, float_format="%.6g"))
    missed, alarms = (any_words[0]["any_word"] < 0.5).mean(), (any_words[1]["any_word"] >= 0.5).mean()
    return {"missed": float(missed), "false_alarms": float(alarms)}


def write_predictions(
    folder: RunFolder, datamodule: OverlapDataModule, predictions: dict[str, Tensor]
) -> dict[str, float]:
    """Write the tables of predictions and, if known, of targets. Returns the metrics of the predictions."""
    metrics: dict[str, float] = {}
    names, columns = datamodule.class_names, datamodule.splits.columns  # of the submission, in its order
    for split, probs in predictions.items():
        clips, prefix = datamodule.fixed_splits[split], "" if split == "test" else f"{split}_"
        tables = {f"{prefix}predictions": probs.numpy()}
        if clips.targets is not None:
            tables[f"{split}_answers"] = clips.targets
            means = mean_metrics(clips.targets, probs.numpy())
            metrics |= {f"{split}_{name}": value for name, value in means.items()}
        for name, values in tables.items():
            table = pd.DataFrame(values.astype(np.float64), list(clips.ids), names).rename_axis(columns[0])
            table = table[columns[1:]] if split == "test" else table
            write_text(folder.path / f"{name}.csv", format_table(table, digits=9))  # of float32
        # The rows of the cached array, where ensemble.py finds the clips' audio.
        np.save(folder.path / f"{prefix}cache_rows.npy", clips.rows.astype(np.int32))
    return metrics


def training_cost(folder: RunFolder) -> dict[str, Any]:
    """Loss, time, speed and memory of a training run, from its table of epochs; time of interruptions is not counted.

    Raises:
        RunError: the table is missing or damaged.
    """
    path = folder.path / "metrics.csv"
    epochs = read_epochs(path)
    if epochs.empty or "train/clips_per_second" not in epochs:
        raise RunError(f"{path}: has no epochs; restore it, or train again with overwrite=true")
    resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    memory = torch.cuda.max_memory_allocated() if torch.cuda.is_available() else resident
    return {
        "train_loss": float(epochs["train/loss"].iloc[-1]),
        "epochs": int(epochs["epoch"].iloc[-1]) + 1,
        "train_seconds": float(epochs["seconds"].sum()),
        "clips_per_second": float(epochs["train/clips_per_second"].median()),
        "peak_memory_gb": memory / 1e9,
    }


def print_summary(folder: RunFolder, metrics: dict[str, Any]) -> None:
    """Print the results of a run."""
    lines = {"training loss": f"{metrics['train_loss']:.4f}"}
    for split, title in (("val", "validation"), ("test", "test")):
        if f"{split}_kl" in metrics:
            kl = f"{metrics[f'{split}_kl']:.4f} (uniform prediction {metrics[f'{split}_kl_constant']:.4f})"
            others = [f"{name} {format_metric(name, metrics[f'{split}_{name}'])}" for name in METRICS if name != "kl"]
            lines[f"{title} KL"] = ", ".join([kl, *others])
    if "missed" in metrics:
        lines["any word"] = f"{metrics['missed']:.1%} missed, {metrics['false_alarms']:.1%} false alarms"
    lines["training"] = f"{count(metrics['epochs'], 'epoch')} in {timedelta(seconds=round(metrics['train_seconds']))}"
    lines["speed"] = f"{metrics['clips_per_second']:.1f} clips/s"
    lines["peak memory"] = f"{metrics['peak_memory_gb']:.2f} GB"
    lines["folder"] = str(folder.path)
    print("\n".join(f"{name:>14}  {value}" for name, value in lines.items()), flush=True)
