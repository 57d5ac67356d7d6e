"""The functions of this project that speed.py measures; notebook.py is the reference, workload.py the shared input.

Each benchmark function takes the folder of clips and returns clips/s.
"""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from overlapped_words.settings.source import source_config
from torch import Tensor

from benchmarks.workload import NUM_CLIPS, rate
from datamodules.features import MultiResolutionMel
from datamodules.overlap import OverlapDataModule
from lightning_modules.mac import MAC
from lightning_modules.outputs import kl_divergence
from overlapped_words.allocator import keep_freed_memory
from overlapped_words.inference.member import TrainedNetwork
from overlapped_words.inference.predictor import Predictor
from overlapped_words.settings import as_dict, check
from overlapped_words.settings.train import Train
from overlapped_words.training.run import train

keep_freed_memory()  # as the scripts do


def winner(root: Path, *overrides: str) -> Train:
    """Compose the settings of the winning recipe for the clips in `root`."""
    with initialize_config_dir(str(Path(__file__).parents[1] / "conf"), version_base="1.3"):
        paths = [f"data.root={root}", f"data.cache_dir={root / 'cache'}", "name=speed", "run_dir=run"]
        paths.append("trainer.precision=32-true")  # as the notebook on a CPU
        return check(Train, compose("train", ["experiment=winner", *paths, *overrides]))


def data_module(root: Path, *overrides: str) -> OverlapDataModule:
    """Build the data module of the winning recipe, with a stub in place of the trainer."""
    cfg = winner(root, *overrides)
    config = as_dict(cfg)
    data = OverlapDataModule(
        source=instantiate(source_config(config["data"])),
        features=config["features"],
        augment=instantiate(config["augment"]),
        batch_size=cfg.data.batch_size,
        num_workers=cfg.data.num_workers,
        cache=cfg.data.cache,
        cache_dir=cfg.data.cache_dir,
    )
    loop = SimpleNamespace(total_batch_idx=0)
    data.trainer = SimpleNamespace(training=True, world_size=1, global_rank=0, fit_loop=loop)  # type: ignore[assignment]
    return data


def batches(data: OverlapDataModule) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield training batches indefinitely: features and targets after augmentation."""
    loader = data.train_dataloader()
    while True:
        for batch in loader:
            yield data.on_after_batch_transfer(batch, 0)


def features(root: Path) -> float:
    front_end, waveforms = MultiResolutionMel(), 0.1 * torch.randn(64, 16_000)
    return rate(lambda: len(front_end(waveforms)))


def loading(root: Path, num_workers: int) -> float:
    """Measure loading from the cache on disk plus augmentation."""
    data = data_module(root, "data.cache=features", f"data.num_workers={num_workers}")
    data.setup()
    stream = batches(data)
    return rate(lambda: len(next(stream)[1]))


def training(root: Path, pool: str, cache: str = "features") -> float:
    """Train for four epochs with train.py; return the mean speed of the last three."""
    with tempfile.TemporaryDirectory() as run_dir:
        options = [f"model.pool={pool}", f"data.cache={cache}", "trainer.max_epochs=4", f"run_dir={run_dir}"]
        train(winner(root, *options), run_dir, [])
        return float(pd.read_csv(Path(run_dir) / "metrics.csv")["train/clips_per_second"][1:].mean())


def bare_step(root: Path, pool: str) -> float:
    """Measure training steps on one batch in memory, with the best known settings."""
    network = MAC(pool).to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.2, momentum=0.9, weight_decay=1e-4, fused=True)
    inputs = torch.randn(128, 4, 160, 160).contiguous(memory_format=torch.channels_last)
    targets = torch.rand(128, 30).softmax(dim=1)

    def step() -> int:
        optimizer.zero_grad()
        kl_divergence(network(inputs), targets).backward()
        optimizer.step()
        return len(targets)

    return rate(step, seconds=30)


def caching(root: Path) -> float:
    """Measure building the feature cache from recordings."""
    with tempfile.TemporaryDirectory(dir=root) as folder:
        data = data_module(root, "data.cache=features", f"data.cache_dir={folder}")
        start = time.perf_counter()
        data.setup()
        return NUM_CLIPS / (time.perf_counter() - start)


def predictor(root: Path, num_members: int) -> Predictor:
    """Build a predictor of untrained members: the first half with average pools, the second half with max pools."""
    torch.manual_seed(0)
    cfg: Any = as_dict(winner(root))
    class_names = [f"word{i}" for i in range(30)]
    pools = ["avg" if 2 * i < num_members else "max" for i in range(num_members)]
    members = [TrainedNetwork(class_names, {**cfg["model"], "pool": pool}, cfg["features"]) for pool in pools]
    return Predictor(members, [""] * num_members)


def prediction(root: Path, num_members: int = 16, batch_size: int = 32) -> float:
    """Measure prediction: waveforms -> mean probabilities of the members."""
    predict, waveforms = predictor(root, num_members), 0.1 * torch.randn(batch_size, 16_000)
    return rate(lambda: len(predict(waveforms)))
