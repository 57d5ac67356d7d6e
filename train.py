"""Train one member of the ensemble, or a sweep of them.

python train.py                                             # the embedded spoken words
python train.py experiment=demo                             # minutes on two CPU cores
python train.py experiment=winner data.root=DIR             # the winning recipe on competition data
python train.py data=words data.root=DIR data.k=3           # a folder of your own words
python train.py -m model.pool=avg,max 'seed=range(8)'       # the sixteen members; then python ensemble.py run_dir=...
"""

import logging
import os
import resource
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

# A training step asks for large tensors and gives them back; with huge pages that costs a fraction of the page
# faults. PyTorch reads this once, at its first allocation.
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import CompactHydraException
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

if TYPE_CHECKING:
    from lightning import Trainer
    from torch import Tensor

    from datamodules.overlap import OverlapDataModule
    from lightning_modules.classifier import WordClassifier
    from lightning_modules.run_folder import RunFolder

log = logging.getLogger("train")


def train(cfg: DictConfig, run_dir: str, overrides: list[str]) -> float:
    """Configuration -> a trained network, its tables of predictions and its figures in `run_dir`.

    A run that is complete there is left as it is, one that was interrupted goes on from its last checkpoint.
    Returns the validation KL, or the last epoch's training loss where there is no validation split.
    """
    # Imported here, so that --help and a misspelt override answer at once.
    from lightning import seed_everything

    from datamodules.overlap import OverlapDataModule
    from lightning_modules.classifier import WordClassifier
    from lightning_modules.predictor import load_member
    from lightning_modules.run_folder import RunError, RunFolder, flatten, provenance

    # What Lightning has to tell of devices and products; its warnings stay.
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", message=".*LeafSpec.*")  # Lightning's own use of torch
    warnings.filterwarnings("ignore", message=".*does not have many workers.*")  # batches come whole, from memory maps
    warnings.filterwarnings("ignore", message=".*exists and is not empty.*")  # so it is when a run goes on
    warnings.filterwarnings("ignore", message=".*smaller than the logging interval.*")

    folder, dry = RunFolder(run_dir), bool(cfg.trainer.fast_dev_run)
    config = OmegaConf.to_container(cfg, resolve=True)
    if not dry:
        folder.claim(config, overrides, cfg.overwrite)
        if folder.metrics.get("status") == "complete":
            log.info("%s is complete, nothing to do", run_dir)
            return folder.metrics["objective"]
        folder.write_metrics(status="running", pool=cfg.model.pool, seed=cfg.seed, **provenance())
    choose_for_device(cfg)

    datamodule = OverlapDataModule(
        source=instantiate(cfg.data.source),
        features=config["features"],
        augment=instantiate(cfg.augment),
        batch_size=cfg.data.batch_size,
        num_workers=cfg.data.num_workers,
        cache=cfg.data.cache,
        cache_dir=cfg.data.cache_dir,
        seed=cfg.seed,
    )
    datamodule.setup()  # before the network: the data tell how many classes there are
    seed_everything(cfg.seed, workers=True, verbose=False)
    learner = WordClassifier(
        class_names=datamodule.class_names,
        network=config["model"],
        features=config["features"],
        optimizer=config["optimizer"],
        schedule=config["schedule"],
    )

    trainer = build_trainer(cfg, with_validation=datamodule.val is not None)
    checkpoint = folder.last_checkpoint if cfg.ckpt_path in (None, "last") else Path(cfg.ckpt_path)
    resume = not dry and checkpoint.exists()
    if resume:
        log.info("going on from %s", checkpoint)
    elif cfg.ckpt_path not in (None, "last"):
        raise RunError(f"{checkpoint}: no such checkpoint; leave ckpt_path out to start or to go on")
    if resume and (words := load_member(checkpoint).class_names) != datamodule.class_names:
        raise RunError(f"{checkpoint} knows the words {words}, the data hold {datamodule.class_names}; use its data")
    trainer.fit(learner, datamodule, ckpt_path=checkpoint if resume else None)

    # The recipe predicts in float32, whatever the precision of the training.
    predictor = build_trainer(cfg, precision="32-true", logger=False, callbacks=[], enable_checkpointing=False)
    predictions = predict(predictor, learner, datamodule)
    if dry:
        log.info("one batch went through training, validation and prediction; nothing was kept")
        return float(trainer.callback_metrics["train/loss_epoch"])
    figures = write_predictions(folder, datamodule, predictions) | cost(folder)
    figures["objective"] = figures.get("val_kl", figures["train_loss"])
    for logger in trainer.loggers:
        reached = {f"final/{name}": value for name, value in figures.items() if name.endswith(("kl", "recall", "loss"))}
        logger.log_hyperparams(flatten(config), reached)
        logger.finalize("success")
    folder.write_metrics(status="complete", **figures)
    print_summary(folder, figures)
    return figures["objective"]


def choose_for_device(cfg: DictConfig) -> None:
    """Settle what is "auto": on CUDA 16-bit mixed precision and features computed at every step, elsewhere float32
    (16-bit on a CPU is slow or wrong) and features from the disk."""
    import torch

    cuda = cfg.trainer.accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available()
    if cfg.trainer.precision == "auto":
        cfg.trainer.precision = "16-mixed" if cuda else "32-true"
    if cfg.data.cache == "auto":
        cfg.data.cache = "waveforms" if cuda else "features"


def build_trainer(cfg: DictConfig, with_validation: bool = True, **options: Any) -> "Trainer":
    """The trainer of the configuration; `options` take precedence."""
    if "callbacks" not in options:
        wanted = {name: callback for name, callback in cfg.callbacks.items() if callback}
        if not with_validation:
            wanted.pop("best", None)  # nothing to be best at: the last checkpoint is the result
        if not sys.stdout.isatty():
            wanted.pop("progress", None)
        options["callbacks"] = [instantiate(callback) for callback in wanted.values()]
        options["logger"] = [instantiate(logger) for logger in cfg.logger.values() if logger]
    bar = sys.stdout.isatty() and bool(options["callbacks"])
    return instantiate(cfg.trainer, enable_progress_bar=bar, **options)


def predict(trainer: "Trainer", learner: "WordClassifier", datamodule: "OverlapDataModule") -> dict[str, "Tensor"]:
    """Probabilities `(N, num_classes)` of the validation and test clips, as far as the source has them."""
    import torch

    splits = datamodule.fixed_splits
    batches = trainer.predict(learner, datamodule) if splits else []
    per_split = [batches] if len(splits) == 1 else batches
    return {name: torch.cat(outputs) for name, outputs in zip(splits, per_split, strict=True)}


def write_predictions(
    folder: "RunFolder", datamodule: "OverlapDataModule", predictions: dict[str, "Tensor"]
) -> dict[str, float]:
    """Tables of predictions and, where they are known, of answers -> what they score."""
    import torch

    from lightning_modules.classifier import constant_kl, kl_divergence, topk_recall
    from lightning_modules.run_folder import write_table

    figures = {}
    names, columns = datamodule.class_names, datamodule.splits.columns
    header = {"val": [columns[0], *names], "test": columns}  # the test table is what the source's submission wants
    for split, probs in predictions.items():
        clips = datamodule.fixed_splits[split]
        order = [names.index(name) for name in header[split][1:]]
        prefix = "" if split == "test" else f"{split}_"
        if clips.targets is not None:
            targets = torch.from_numpy(clips.targets)
            figures[f"{split}_kl"] = float(kl_divergence(probs.log(), targets))
            figures[f"{split}_recall"] = float(topk_recall(probs, targets))
            figures[f"{split}_kl_constant"] = float(constant_kl(targets))
            write_table(folder.path / f"{split}_answers.csv", header[split], clips.ids, clips.targets[:, order])
        write_table(folder.path / f"{prefix}predictions.csv", header[split], clips.ids, probs.numpy()[:, order])
    return figures


def cost(folder: "RunFolder") -> dict[str, float]:
    """What the training took, interruptions left out: from the table of epochs, which a resumed run goes on with."""
    import pandas as pd
    import torch

    epochs = pd.read_csv(folder.path / "metrics.csv")
    resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    memory = torch.cuda.max_memory_allocated() if torch.cuda.is_available() else resident
    return {
        "train_loss": float(epochs["train/loss"].iloc[-1]),
        "epochs": len(epochs),
        "train_seconds": float(epochs["seconds"].sum()),
        "clips_per_second": float(epochs["train/clips_per_second"].median()),
        "peak_memory_gb": memory / 1e9,
    }


def print_summary(folder: "RunFolder", figures: dict[str, float]) -> None:
    """The one block that a run ends with."""
    lines = {"training loss": f"{figures['train_loss']:.4f}"}
    for split, name in (("val", "validation"), ("test", "test")):
        if f"{split}_kl" in figures:
            lines[f"{name} KL"] = "{:.4f} (constant answer {:.4f}), {:.1%} of the words recalled".format(
                *(figures[f"{split}_{figure}"] for figure in ("kl", "kl_constant", "recall"))
            )
    minutes, seconds = divmod(round(figures["train_seconds"]), 60)
    lines["training"] = f"{figures['epochs']} epochs in {minutes} min {seconds} s"
    lines["speed"] = f"{figures['clips_per_second']:.1f} clips/s"
    lines["peak memory"] = f"{figures['peak_memory_gb']:.2f} GB"
    lines["folder"] = str(folder.path)
    print("\n".join(f"{name:>14}  {value}" for name, value in lines.items()), flush=True)


@hydra.main(version_base="1.3", config_path="conf", config_name="train")
def main(cfg: DictConfig) -> float:
    from datamodules.cache import CacheError
    from datamodules.recordings import DataError
    from lightning_modules.run_folder import RunError

    runtime = HydraConfig.get()
    try:
        return train(cfg, runtime.runtime.output_dir, list(runtime.overrides.task))
    except (DataError, RunError, CacheError) as error:
        raise CompactHydraException(str(error)) from error


if __name__ == "__main__":
    main()
