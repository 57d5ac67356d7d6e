"""Train one member of the ensemble, or a sweep of them.

python train.py                                             # the embedded spoken words
python train.py experiment=demo                             # minutes on two CPU cores
python train.py experiment=winner data.root=DIR             # the winning recipe on competition data
python train.py data=words data.root=DIR data.k=3           # a folder of your own words
python train.py -m model.pool=avg,max 'seed=range(8)'       # the sixteen members; then python ensemble.py run_dir=...
"""

import logging
import math
import sys
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

import cli

# settings is imported where it is used: Pydantic takes as long as all the rest of --help or of a mistyped override.
if TYPE_CHECKING:
    from lightning import Trainer

    from runs.folder import RunFolder
    from settings.plugin import Plugin
    from settings.train import Train

log = logging.getLogger("train")


def train(cfg: "Train", run_dir: str, overrides: list[str], number: int = 0) -> float:
    """Settings -> a trained network, its tables of predictions and its figures in `run_dir`.

    A complete run is left as it is; an interrupted or stopped one is resumed from its last checkpoint.
    `number` is the member's in its sweep: members that run in parallel take the machine's GPUs in turn.
    Returns the validation KL, or the last epoch's training loss where there is no validation split.
    """
    # Imported here, so that --help and a mistyped override answer at once.
    from lightning.pytorch.utilities import rank_zero_only

    from lightning_modules import results
    from lightning_modules.device import resolve_auto
    from runs.ending import clear_end
    from runs.folder import RunFolder
    from runs.provenance import provenance
    from runs.status import Status
    from settings import as_dict

    config = as_dict(cfg)
    resolve_auto(cfg, number)
    folder = RunFolder(run_dir)
    if cfg.trainer.fast_dev_run:
        with clear_end(None):
            return fit(cfg, config, None)["objective"]
    if rank_zero_only.rank > 0:  # type: ignore[attr-defined]  # of a training on several devices: the first process keeps the folder
        with clear_end(None):
            return fit(cfg, config, folder)["objective"]
    folder.prepare(config, overrides, cfg.overwrite)
    if folder.metrics.get("status") == Status.COMPLETE:
        log.info("%s is complete, nothing to do", run_dir)
        return folder.metrics["objective"]
    member = {"pool": cfg.model.pool, "seed": cfg.seed, "fold": getattr(cfg.data, "fold", None)}
    with folder.track_status(**member, max_epochs=cfg.trainer.max_epochs, **provenance()), clear_end(run_dir):
        metrics = fit(cfg, config, folder)
    results.print_summary(folder, metrics)
    return metrics["objective"]


def fit(cfg: "Train", config: dict[str, Any], folder: "RunFolder | None") -> dict[str, Any]:
    """Build everything, train, predict; keep the results in `folder` (None: try it out and keep nothing).

    Returns the run's metrics, of which "objective" is the one to minimize.
    """
    from lightning import seed_everything

    from datamodules.overlap import OverlapDataModule
    from lightning_modules import results
    from lightning_modules.allocator import keep_freed_memory
    from lightning_modules.classifier import WordClassifier
    from runs.ending import final_status
    from settings import blame
    from settings.source import source_config

    silence_lightning()
    keep_freed_memory()
    with blame("data"):
        source = instantiate(source_config(config["data"]), _convert_="all")
    with blame("augment"):
        augment = instantiate(config["augment"])
    datamodule = OverlapDataModule(
        source=source,
        features=config["features"],
        augment=augment,
        batch_size=cfg.data.batch_size,
        num_workers=cfg.data.num_workers,
        cache=cfg.data.cache,
        cache_dir=cfg.data.cache_dir,
        device_cache=cfg.data.device_cache,
        seed=cfg.seed,
    )
    datamodule.setup()  # before the network: the data tell how many classes there are
    seed_everything(cfg.seed, workers=True, verbose=False)
    with blame("model"):
        learner = WordClassifier(
            class_names=datamodule.class_names,
            network=config["model"],
            features=config["features"],
            optimizer=config["optimizer"],
            schedule=config["schedule"],
        )
    if cfg.compile:
        learner.compile_network(cfg.compile)
    trainer = build_trainer(cfg, with_validation=datamodule.val is not None)
    checkpoint = find_checkpoint(cfg.ckpt_path, folder, datamodule.class_names)
    device = trainer.strategy.root_device
    trainer.fit(learner, datamodule, ckpt_path=checkpoint)
    if not trainer.is_global_zero:
        return {"objective": math.nan}  # the first process predicts, and returns the metrics

    predictions = results.predict(learner, datamodule, device, num_batches=None if folder else 1)
    if folder is None:
        log.info("one batch went through training, validation and prediction; nothing was kept")
        return {"objective": float(trainer.callback_metrics["train/loss_epoch"])}
    metrics = results.write_predictions(folder, datamodule, predictions) | results.cost(folder)
    metrics["objective"] = metrics.get("val_kl", metrics["train_loss"])
    results.log_settings(trainer.loggers, config, metrics)
    made_of = {"splits": datamodule.splits.sizes, "cache_keys": datamodule.keys}
    made_with = {"device": str(device), "precision": cfg.trainer.precision}
    status = final_status(trainer, metrics["epochs"], cfg.trainer.max_epochs)
    folder.write_metrics(status=status, **made_of, **made_with, **metrics)
    return metrics


def silence_lightning() -> None:
    """Drop what Lightning tells of devices, products and its own use of torch; its other warnings stay."""
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    for message in (
        "LeafSpec",
        "does not have many workers",  # batches come whole, from memory maps
        "exists and is not empty",  # so it is when a run goes on
        "`srun` command is available",  # a login node of a cluster
        "smaller than the logging interval",
        "across ranks is zero",  # there is no validation split
        "is not supported by the model summary",  # which is not shown
    ):
        warnings.filterwarnings("ignore", message=f".*{message}.*")


def find_checkpoint(wanted: str | None, folder: "RunFolder | None", class_names: list[str]) -> Path | None:
    """The checkpoint to resume from: the run's own last one, or the one asked for.

    Raises:
        RunError: it was trained on other words than the data's.
    """
    from errors import RunError
    from inference.member import read_checkpoint

    if wanted is None:
        checkpoint = folder.last_checkpoint if folder else None
        if checkpoint is None or not checkpoint.exists():
            return None
    else:
        checkpoint = Path(wanted)
    words = read_checkpoint(checkpoint).class_names
    if words != class_names:
        raise RunError(
            f"{checkpoint} knows the words {words}, the data hold {class_names}; use the data it was made of"
        )
    log.info("resuming from %s", checkpoint)
    return checkpoint


def build_trainer(cfg: "Train", with_validation: bool) -> "Trainer":
    """The trainer that the settings describe, without the callbacks that have nothing to do in this run."""
    from runs.ending import epoch_timer
    from settings import as_dict, blame

    loggers = make("logger", cfg.logger)
    useful = {
        "best": with_validation,  # else there is nothing to be best at: the last checkpoint is the result
        "teacher": cfg.teacher is not None,
        "learning_rate": bool(loggers),
        "progress": sys.stdout.isatty() and getattr(cfg.trainer, "enable_progress_bar", True),
    }
    callbacks = {name: plugin for name, plugin in cfg.callbacks.items() if plugin and useful.get(name, True)}
    with blame("trainer"):
        return instantiate(
            as_dict(cfg.trainer),
            max_time=None,
            callbacks=[*make("callbacks", callbacks), *epoch_timer(cfg.trainer.max_time)],
            logger=loggers,
            enable_progress_bar="progress" in callbacks,
        )


def make(group: str, plugins: "Mapping[str, Plugin | None]") -> list[Any]:
    """The objects that the settings of a group describe, without those that are null."""
    from settings import as_dict, blame

    made = []
    for name, plugin in plugins.items():
        if plugin:
            with blame(f"{group}.{name}"):
                made.append(instantiate(as_dict(plugin)))
    return made


@hydra.main(version_base="1.3", config_path="conf", config_name="train")
def main(cfg: DictConfig) -> float:
    from settings import check
    from settings.train import Train
    from settings.unused import warn_unused

    runtime = HydraConfig.get()
    number = OmegaConf.select(runtime, "job.num", default=0)  # type: ignore[arg-type]  # a run outside of a sweep has none
    settings = check(Train, cfg)
    warn_unused(settings)
    return train(settings, runtime.runtime.output_dir, list(runtime.overrides.task), number)


if __name__ == "__main__":
    # conf/hydra/launcher holds files of the launchers' own names: Hydra warns that it fills them up, as is meant.
    warnings.filterwarnings("ignore", message=r"\s*'hydra/launcher/")
    cli.run(main)
