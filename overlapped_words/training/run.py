"""Train one member: settings in; checkpoints, tables of predictions and metrics in its folder out."""

import logging
import math
from pathlib import Path
from typing import Any

from hydra.utils import instantiate
from lightning import seed_everything
from lightning.pytorch.utilities import rank_zero_only

from datamodules.clips import Splits
from datamodules.overlap import OverlapDataModule
from lightning_modules.classifier import WordClassifier
from overlapped_words.allocator import keep_freed_memory
from overlapped_words.errors import DataError, RunError
from overlapped_words.inference.member import read_checkpoint
from overlapped_words.runs.folder import RunFolder
from overlapped_words.runs.provenance import provenance
from overlapped_words.runs.status import Status
from overlapped_words.settings import as_dict, blame
from overlapped_words.settings.source import source_config
from overlapped_words.settings.train import Train
from overlapped_words.training import results
from overlapped_words.training.device import choose_devices, resolve_auto
from overlapped_words.training.ending import clear_end, final_status
from overlapped_words.training.hparams import log_results
from overlapped_words.training.teacher import load_teacher
from overlapped_words.training.trainer import build_trainer, silence_lightning

log = logging.getLogger("train")


def train(cfg: Train, run_dir: str, overrides: list[str], number: int = 0) -> float:
    """Train a network and write its checkpoints, tables of predictions and metrics into `run_dir`.

    A complete run is skipped; an interrupted or stopped one resumes from its last checkpoint. `number` is the number of
    the member in its sweep: members that run in parallel use the machine's GPUs in turn.

    Returns the validation KL, or the last epoch's training loss if there is no validation split.

    Raises:
        UserError: a setting, the data, the run's folder or the teacher cannot be used, or the training diverged.
    """
    resolve_auto(cfg)
    devices = choose_devices(cfg.trainer, number)
    if cfg.trainer.fast_dev_run:
        with clear_end(None):
            return fit(cfg, devices, None)["objective"]
    folder = RunFolder(run_dir)
    if rank_zero_only.rank > 0:  # type: ignore[attr-defined]  # on several devices, the first process keeps the folder
        with clear_end(None):
            return fit(cfg, devices, folder)["objective"]
    folder.prepare(as_dict(cfg), overrides, cfg.overwrite)
    if folder.status == Status.COMPLETE:
        log.info("%s is complete, nothing to do", run_dir)
        return folder.metrics["objective"]
    member = {"pool": cfg.model.pool, "seed": cfg.seed, "fold": getattr(cfg.data, "fold", None)}
    with folder.track_status(**member, max_epochs=cfg.trainer.max_epochs, **provenance()), clear_end(run_dir):
        metrics = fit(cfg, devices, folder)
    results.print_summary(folder, metrics)
    return metrics["objective"]


def fit(cfg: Train, devices: Any, folder: RunFolder | None) -> dict[str, Any]:
    """Build the data, the learner and the trainer; train; predict; write the results into `folder`.

    Without a `folder`, run one batch through everything and write nothing. Returns the run's metrics; "objective" is
    the one to minimize.
    """
    silence_lightning()
    keep_freed_memory()
    datamodule = build_data(cfg)
    datamodule.setup()  # first: the data determine the number of classes
    seed_everything(cfg.seed, workers=True, verbose=False)  # of the weights; each step seeds its own draws
    learner = build_learner(cfg, datamodule.splits)
    trainer = build_trainer(cfg, devices, has_val=datamodule.val is not None)
    device = trainer.strategy.root_device
    trainer.fit(learner, datamodule, ckpt_path=find_checkpoint(cfg.ckpt_path, folder, datamodule.class_names))
    if not trainer.is_global_zero:
        return {"objective": math.nan}  # the first process predicts, and returns the metrics

    predictions = results.predict(learner, datamodule, device, num_batches=None if folder else 1)
    if folder is None:
        log.info("one batch went through training, validation and prediction; nothing was saved")
        return {"objective": float(trainer.callback_metrics["train/loss_epoch"])}
    metrics = results.write_predictions(folder, datamodule, predictions) | results.training_cost(folder)
    results.write_any_word(folder, learner, datamodule, device)
    metrics["objective"] = metrics.get("val_kl", metrics["train_loss"])
    log_results(trainer.loggers, as_dict(cfg), metrics)
    splits = datamodule.splits
    data = {"splits": splits.sizes, "words_per_clip": list(splits.train.k), "cache_keys": datamodule.keys}
    machine = {"device": str(device), "precision": cfg.trainer.precision}
    status = final_status(trainer, metrics["epochs"], cfg.trainer.max_epochs)
    folder.write_metrics(status=status, **data, **machine, **metrics)
    return metrics


def build_data(cfg: Train) -> OverlapDataModule:
    """The data module with the source, the features and the augmentation of the settings."""
    with blame("data"):
        source = instantiate(source_config(as_dict(cfg.data)), _convert_="all")
    with blame("augment"):
        augment = instantiate(as_dict(cfg.augment))
    return OverlapDataModule(
        source=source,
        features=as_dict(cfg.features),
        augment=augment,
        batch_size=cfg.data.batch_size,
        num_workers=cfg.data.num_workers,
        cache=cfg.data.cache,
        cache_dir=cfg.data.cache_dir,
        device_cache=cfg.data.device_cache,
        seed=cfg.seed,
    )


def build_learner(cfg: Train, splits: Splits) -> WordClassifier:
    """The network with its optimizer and schedule, compiled and with a teacher if the settings ask for it.

    Raises:
        DataError: model.output does not fit the targets: set needs equal shares, softmax a word in every clip.
    """
    network, k = as_dict(cfg.model), splits.train.k
    if network.get("output") == "set":
        splits.train.check_equal_shares()
        network["k"] = list(k)
    elif k[0] == 0:
        raise DataError(
            f"data.k is [0, {k[1]}], but a softmax cannot predict that there are no words; use model.output=set"
        )
    with blame("model"):
        learner = WordClassifier(
            class_names=splits.class_names,
            network=network,
            features=as_dict(cfg.features),
            optimizer=as_dict(cfg.optimizer),
            schedule=as_dict(cfg.schedule),
        )
    if cfg.compile:
        learner.compile_network(cfg.compile)
    if cfg.teacher:
        learner.teacher = load_teacher(Path(cfg.teacher), learner, cfg.teacher_weight)
    return learner


def find_checkpoint(ckpt_path: str | None, folder: RunFolder | None, class_names: list[str]) -> Path | None:
    """The checkpoint to resume from: `ckpt_path`, or the run's own last one if it has one.

    Raises:
        RunError: it was trained on other words than those of the data.
    """
    if ckpt_path is None:
        checkpoint = folder.last_checkpoint if folder else None
        if checkpoint is None or not checkpoint.exists():
            return None
    else:
        checkpoint = Path(ckpt_path)
    words = read_checkpoint(checkpoint).class_names
    if words != class_names:
        raise RunError(
            f"{checkpoint}: words differ: checkpoint {words}, data {class_names}; use the data that it was trained on"
        )
    log.info("resuming from %s", checkpoint)
    return checkpoint
