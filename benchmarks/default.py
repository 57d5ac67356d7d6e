"""The steps of the default recipe that speed.py measures, in this version and in an earlier one.

speed.py copies this package into a checkout of the earlier version and runs it there, so it may only use what both
versions have. Each version composes its own settings. A function takes a folder for its data and returns clips/s.
"""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import soundfile
import torch
from hydra import compose, initialize_config_dir

from benchmarks.workload import rate
from lightning_modules.classifier import WordClassifier
from lightning_modules.muon import Muon
from overlapped_words.allocator import keep_freed_memory
from overlapped_words.settings import check
from overlapped_words.settings.train import Train
from overlapped_words.training.run import build_data, train

NETWORK = {"freq_bins": 1, "time_pools": 4, "output": "softmax"}  # of 0.1.0, the only one in earlier versions

keep_freed_memory()  # as the scripts do


def recipe(root: Path, *overrides: str) -> Train:
    """Compose experiment=best_words for a folder of noise in place of words; all mixtures have the most words."""
    make_words(root / "words")
    with initialize_config_dir(str(Path(__file__).parents[1] / "conf"), version_base="1.3"):
        data = [f"data.root={root / 'words'}", f"data.cache_dir={root / 'cache'}", "data.curriculum=0"]
        sizes = ["data.train_size=640", "data.val_size=32", "data.test_size=32"]
        options = [*data, *sizes, "name=speed", "run_dir=run", *overrides]
        cfg = compose("train", ["experiment=best_words", *options])
    if "time_pools" in cfg.model:
        cfg.model.update(NETWORK)
    return check(Train, cfg)


def make_words(folder: Path) -> None:
    """Write a folder of 30 words by 20 speakers, if it is missing."""
    if folder.exists():
        return
    rng = np.random.default_rng(0)
    for word in range(30):
        (folder / f"word{word:02d}").mkdir(parents=True)
        for speaker in range(20):
            noise = np.hanning(16_000) * rng.standard_normal(16_000)
            soundfile.write(folder / f"word{word:02d}" / f"{speaker:02d}_0.wav", 0.1 * noise, 16_000)


def data(root: Path) -> Any:
    """The data module; its training clips are on-the-fly mixtures."""
    cfg = recipe(root, "data.cache=waveforms")
    datamodule = build_data(cfg)
    datamodule.setup()
    return datamodule


def mixing(root: Path) -> float:
    datamodule = data(root)
    return rate(lambda: len(datamodule.train.batch(range(datamodule.batch_size))[0]))


def features(root: Path) -> float:
    datamodule = data(root)
    waveforms, _ = datamodule.train.batch(range(datamodule.batch_size))
    return rate(lambda: len(datamodule.to_features(waveforms)))


def learner_and_batch(root: Path) -> tuple[Any, tuple[torch.Tensor, torch.Tensor]]:
    """The learner of one short training, and a batch of features and targets."""
    with tempfile.TemporaryDirectory() as run_dir:
        train(recipe(root, "data.train_size=32", "trainer.max_epochs=1", f"run_dir={run_dir}"), run_dir, [])
        learner: Any = WordClassifier.load_from_checkpoint(
            next(Path(run_dir).rglob("last.ckpt")), map_location="cpu"
        ).train()
    learner.log = lambda *args, **kwargs: None
    datamodule = data(root)
    waveforms, targets = datamodule.train.batch(range(datamodule.batch_size))
    return learner, (datamodule.to_features(waveforms), targets)


def forward_backward(root: Path, precision: str = "32-true") -> float:
    learner, batch = learner_and_batch(root)

    def step() -> int:
        learner.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16-mixed"):
            loss = learner.training_step(batch, 0)
        loss.backward()
        return len(batch[0])

    return rate(step)


def muon(root: Path) -> float:
    """Measure the updates of the weights: the clips of one batch per step of the optimizer."""
    learner, batch = learner_and_batch(root)
    options = {name: value for name, value in learner.hparams["optimizer"].items() if name != "name"}
    optimizer = Muon(learner.parameters(), **options, fused=True)
    learner.training_step(batch, 0).backward()

    def step() -> int:
        optimizer.step()
        return len(batch[0])

    return rate(step)


def training(root: Path, precision: str = "auto") -> float:
    """Train for four epochs as train.py does; return the mean speed of the last three."""
    with tempfile.TemporaryDirectory() as run_dir:
        options = [f"trainer.precision={precision}", "trainer.max_epochs=4", f"run_dir={run_dir}"]
        train(recipe(root, *options), run_dir, [])
        return float(pd.read_csv(Path(run_dir) / "metrics.csv")["train/clips_per_second"][1:].mean())
