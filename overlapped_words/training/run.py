"""Train one member: settings in; checkpoints, tables of predictions and metrics in its folder out."""

import logging
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from hydra.core.hydra_config import HydraConfig
from lightning import seed_everything
from lightning.pytorch.utilities import rank_zero_only
from omegaconf import OmegaConf

from datamodules.overlap import OverlapDataModule
from lightning_modules.classifier import WordClassifier
from overlapped_words.allocator import keep_freed_memory
from overlapped_words.errors import RunError, SettingError
from overlapped_words.inference.member import read_checkpoint
from overlapped_words.runs.folder import RunFolder
from overlapped_words.runs.members import pool_of
from overlapped_words.runs.provenance import provenance
from overlapped_words.settings.train import Train
from overlapped_words.training import results
from overlapped_words.training.components import build_data, build_learner
from overlapped_words.training.device import choose_devices, fixed_threads, resolve_auto
from overlapped_words.training.ending import clear_end, final_status
from overlapped_words.training.loggers import log_results
from overlapped_words.training.trainer import build_trainer, silence_lightning

log = logging.getLogger("train")


def train(cfg: Train) -> float:
    """Train a network and write its checkpoints, tables of predictions and metrics into `cfg.run_dir`.

    A complete run is skipped; an interrupted or stopped one resumes from its last checkpoint.

    Returns the validation KL, or the last epoch's training loss if there is no validation split.

    Raises:
        UserError: a setting, the data, the run's folder or the teacher cannot be used, or the training diverged.
    """
    resolve_auto(cfg)
    overrides, number = hydra_job()
    devices = choose_devices(cfg.trainer, number)
    silence_lightning()
    keep_freed_memory()
    if threads := fixed_threads(cfg):
        torch.set_num_threads(threads)
    folder = None if cfg.trainer["fast_dev_run"] else RunFolder(cfg.run_dir)
    # On several devices, the first process keeps the folder.
    if folder is None or rank_zero_only.rank > 0:  # type: ignore[attr-defined]
        with clear_end(None):
            return fit(cfg, devices, folder)["objective"]
    member = {"pool": pool_of(cfg.model, cfg.member), "seed": cfg.seed, "fold": cfg.data.get("fold")}
    facts = {**member, "max_epochs": cfg.trainer["max_epochs"], **provenance()}
    built = build_before_overwriting(cfg) if cfg.overwrite else None
    if not folder.prepare(asdict(cfg), overrides, cfg.overwrite, **facts):
        log.info("%s is complete, nothing to do", cfg.run_dir)
        return folder.metrics["objective"]
    with folder.track_status(), clear_end(cfg.run_dir):
        metrics = fit(cfg, devices, folder, built)
    results.print_summary(folder, metrics)
    return metrics["objective"]


def hydra_job() -> tuple[list[str], int]:
    """The overrides of the command line, and the number of the member in its sweep; without Hydra, none and 0."""
    if not HydraConfig.initialized():
        return [], 0
    job = HydraConfig.get()
    # Missing without a sweep.
    return list(job.overrides.task), OmegaConf.select(job, "job.num", default=0)  # type: ignore[arg-type]


def build_before_overwriting(cfg: Train) -> tuple[OverlapDataModule, WordClassifier]:
    """What `build` returns, while the old run is still there: an error in the data or in a teacher keeps it.

    Raises:
        SettingError: the old run is among the networks that this one begins with.
    """
    run = Path(cfg.run_dir).resolve()
    initial = cfg.initial_checkpoint if isinstance(cfg.initial_checkpoint, list) else [cfg.initial_checkpoint]
    for path in filter(None, (cfg.ckpt_path, cfg.teacher, *initial)):
        absolute = Path(path).resolve()
        if run.exists() and (run in (absolute, *absolute.parents) or absolute == run.parent):
            raise SettingError(
                f"overwrite=true would delete {path}, with which the run begins; choose another name=..."
            )
    return build(cfg)


def build(cfg: Train) -> tuple[OverlapDataModule, WordClassifier]:
    """Load the data, and build the learner for their words."""
    datamodule = build_data(cfg)
    datamodule.setup()  # first: the data determine the number of classes
    seed_everything(cfg.seed, workers=True, verbose=False)  # of the weights; each step seeds its own draws
    return datamodule, build_learner(cfg, datamodule.splits)


def fit(
    cfg: Train,
    devices: Any,
    folder: RunFolder | None,
    built: tuple[OverlapDataModule, WordClassifier] | None = None,
) -> dict[str, Any]:
    """Build the data, the learner and the trainer; train; predict; write the results into `folder`.

    Without a `folder`, run one batch through everything and write nothing. `built` is what `build` returns if it was
    called before. Returns the run's metrics; "objective" is the one to minimize.
    """
    datamodule, learner = built or build(cfg)
    if folder and rank_zero_only.rank == 0:  # type: ignore[attr-defined]
        folder.check_data(datamodule.splits.fingerprints)
    trainer = build_trainer(cfg, devices, has_val=datamodule.val is not None)
    device = trainer.strategy.root_device
    trainer.fit(learner, datamodule, ckpt_path=find_checkpoint(cfg.ckpt_path, folder, datamodule.class_names))
    threads = torch.get_num_threads()
    if not trainer.is_global_zero:
        return {"objective": math.nan}  # the first process predicts, and returns the metrics

    predictions = results.predict(learner, datamodule, device, num_batches=None if folder else 1)
    if folder is None:
        log.info("one batch went through training, validation and prediction; nothing was saved")
        return {"objective": float(trainer.callback_metrics["train/loss_epoch"])}
    metrics = results.write_predictions(folder, datamodule, predictions) | results.training_cost(folder)
    metrics |= results.write_without_words(folder, learner, datamodule)
    metrics["objective"] = metrics.get("val_kl", metrics["train_loss"])
    log_results(trainer.loggers, asdict(cfg), metrics)
    splits = datamodule.splits
    data = {"splits": splits.sizes, "words_per_clip": list(splits.train.k), "cache_keys": datamodule.keys}
    machine = {"device": str(device), "precision": cfg.trainer["precision"], "threads": threads}
    status = final_status(trainer, metrics["epochs"], cfg.trainer["max_epochs"])
    folder.write_metrics(status=status, **data, **machine, **metrics)
    return metrics


def find_checkpoint(ckpt_path: str | None, folder: RunFolder | None, class_names: list[str]) -> Path | None:
    """The checkpoint to resume from: the run's own or else `ckpt_path`, if any; a RunError if it has other words."""
    own = folder.last_checkpoint if folder else None
    checkpoint = own if own and own.exists() else Path(ckpt_path) if ckpt_path else None
    if checkpoint is None:
        return None
    words = read_checkpoint(checkpoint).class_names
    if words != class_names:
        raise RunError(
            f"{checkpoint}: words differ: checkpoint {words}, data {class_names}; use the data that it was trained on"
        )
    log.info("resuming from %s", checkpoint)
    return checkpoint
