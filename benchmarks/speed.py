"""How fast this project is, against the notebook's way on the same clips in the same run.

python benchmarks/speed.py                             # every row: about half an hour on two cores
python benchmarks/speed.py --only features training    # rows whose names begin so
python benchmarks/speed.py --rounds 5 --out docs       # writes docs/speed.csv

Each measurement is a fresh process (the allocator is set by the environment), project and reference take turns, and
the table gives the median over rounds of the project's rate divided by the reference's. Let nothing else run.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

SECONDS = 6.0  # of work a measurement
NUM_CLIPS = 768


def make_clips(root: Path) -> None:
    """A competition folder of noise that swells and fades, each clip with four words out of 30."""
    import soundfile

    rng = np.random.default_rng(0)
    rows = []
    (root / "train").mkdir()
    for i in range(NUM_CLIPS):
        swell = np.interp(np.arange(16_000), np.linspace(0, 16_000, 20), rng.random(20))
        soundfile.write(root / "train" / f"{i:05d}.wav", 0.2 * swell * rng.standard_normal(16_000), 16_000)
        rows.append(np.isin(np.arange(30), rng.permutation(30)[:4]) / 4)
    table = pd.DataFrame(rows, columns=[f"word{i}" for i in range(30)])
    table.insert(0, "id", [f"{i:05d}" for i in range(NUM_CLIPS)])
    table.to_csv(root / "train_answer.csv", index=False)


def rate(work: Callable[[], int]) -> float:
    """Clips/s of a function that returns how many clips it did; once to warm up, then for SECONDS."""
    work()
    start, clips = time.perf_counter(), 0
    while time.perf_counter() - start < SECONDS:
        clips += work()
    return clips / (time.perf_counter() - start)


def data_module(root: Path, cache: str, num_workers: int = 0, build: bool = True):
    """The data module of the winning recipe over the clips in `root`, as if a trainer held it."""
    from types import SimpleNamespace

    from hydra import compose, initialize_config_dir
    from hydra.utils import instantiate
    from omegaconf import OmegaConf

    from datamodules.overlap import OverlapDataModule
    from datamodules.sources import CompetitionFolder

    with initialize_config_dir(str(Path(__file__).parents[1] / "conf"), version_base="1.3"):
        cfg = compose("train", ["experiment=winner", "data.root=x", "hydra.job.name=x"])
    data = OverlapDataModule(
        CompetitionFolder(str(root), val_fraction=0),
        OmegaConf.to_container(cfg.features),
        instantiate(cfg.augment),
        num_workers=num_workers,
        cache=cache,
        cache_dir=str(root / "cache"),
    )
    if build:
        data.setup()
    loop = SimpleNamespace(total_batch_idx=0)
    data.trainer = SimpleNamespace(training=True, world_size=1, global_rank=0, fit_loop=loop)
    return data


def batches(data):
    while True:
        for batch in data.train_dataloader():
            yield data.on_after_batch_transfer(batch, 0)


def features_project(root: Path) -> float:
    import torch

    from datamodules.features import MultiResolutionMel

    front_end, waveforms = MultiResolutionMel(), 0.1 * torch.randn(64, 16_000)
    return rate(lambda: len(front_end(waveforms)))


def features_reference(root: Path) -> float:
    import torch

    from benchmarks.notebook import Features

    extractor, waveforms = Features(), 0.1 * torch.randn(64, 1, 16_000)
    return rate(lambda: len([extractor(waveform) for waveform in waveforms]))


def loading_project(root: Path, num_workers: int) -> float:
    stream = batches(data_module(root, "features", num_workers))
    return rate(lambda: len(next(stream)[1]))


def loading_reference(root: Path, num_workers: int) -> float:
    stream = reference_batches(root, num_workers)
    return rate(lambda: len(next(stream)[1]))


def reference_batches(root: Path, num_workers: int):
    import torch

    from benchmarks.notebook import build_cache, loader

    folder = root / "files"
    if not folder.exists():
        folder.mkdir()
        build_cache(sorted((root / "train").iterdir()), folder)
    targets = torch.tensor(pd.read_csv(root / "train_answer.csv").to_numpy()[:, 1:].astype(np.float32))
    while True:
        yield from loader(sorted(folder.iterdir()), targets, num_workers)


def training_project(root: Path, pool: str, cache: str) -> float:
    """The program itself: train.py's own function on three epochs; the rate of the last two."""
    from hydra import compose, initialize_config_dir

    from train import train

    with (
        initialize_config_dir(str(Path(__file__).parents[1] / "conf"), version_base="1.3"),
        tempfile.TemporaryDirectory() as run_dir,
    ):
        overrides = ["experiment=winner", f"data.root={root}", f"model.pool={pool}", f"data.cache={cache}"]
        overrides += [f"data.cache_dir={root / 'cache'}", "trainer.max_epochs=3", f"run_dir={run_dir}", "name=speed"]
        train(compose("train", overrides), run_dir, overrides)
        return float(pd.read_csv(Path(run_dir) / "metrics.csv")["train/clips_per_second"][1:].mean())


def training_bare(root: Path, pool: str) -> float:
    """The step alone, with the project's settings, on one batch in memory."""
    import torch

    from lightning_modules.classifier import kl_divergence
    from lightning_modules.mac import MAC

    network = MAC(pool).to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.2, momentum=0.9, weight_decay=1e-4)
    features = torch.randn(128, 4, 160, 160).contiguous(memory_format=torch.channels_last)
    targets = torch.rand(128, 30).softmax(dim=1)

    def step() -> int:
        optimizer.zero_grad()
        kl_divergence(network(features), targets).backward()
        optimizer.step()
        return len(targets)

    return rate(step)


def training_reference(root: Path, pool: str) -> float:
    from benchmarks.notebook import Training

    stream, training = reference_batches(root, 2), Training(pool)

    def step() -> int:
        features, targets = next(stream)
        training.step(features, targets)
        return len(targets)

    return rate(step)


def cache_project(root: Path) -> float:
    with tempfile.TemporaryDirectory(dir=root) as folder:
        for path in (root / "train", root / "train_answer.csv"):
            (Path(folder) / path.name).symlink_to(path)
        data = data_module(Path(folder), "features", build=False)
        start = time.perf_counter()
        data.setup()
        return NUM_CLIPS / (time.perf_counter() - start)


def cache_reference(root: Path) -> float:
    from benchmarks.notebook import build_cache

    with tempfile.TemporaryDirectory(dir=root) as folder:
        start = time.perf_counter()
        build_cache(sorted((root / "train").iterdir()), Path(folder))
        return NUM_CLIPS / (time.perf_counter() - start)


def members():
    import torch

    from lightning_modules.classifier import WordClassifier

    torch.manual_seed(0)
    names = [f"word{i}" for i in range(30)]
    options = {"features": {}, "optimizer": {"name": "SGD", "lr": 0.1}, "schedule": {"warmup": 0.0, "final": 0.1}}
    features = {"sample_rate": 16_000}
    return [
        WordClassifier(names, {"name": "mac", "pool": pool}, **{**options, "features": features}).eval()
        for pool in ("avg", "max")
        for _ in range(8)
    ]


def prediction_project(root: Path) -> float:
    import torch

    from lightning_modules.predictor import Predictor

    sixteen = members()
    predictor, waveforms = Predictor(sixteen, [""] * 16), 0.1 * torch.randn(32, 16_000)
    return rate(lambda: len(predictor(waveforms)))


def prediction_reference(root: Path) -> float:
    import torch

    from benchmarks.notebook import Features

    extractor, sixteen, waveforms = Features(), members(), 0.1 * torch.randn(32, 1, 16_000)
    for member in sixteen:
        member.network.to(memory_format=torch.contiguous_format)

    @torch.no_grad()
    def predict() -> int:
        total = 0
        for member in sixteen:
            features = torch.stack([extractor(waveform) for waveform in waveforms])
            total = total + member.network(features).exp()
        return len(total)

    return rate(predict)


ROWS: dict[str, tuple[Callable[[Path], float], Callable[[Path], float]]] = {
    "features": (features_project, features_reference),
    "loading, 0 workers": (lambda root: loading_project(root, 0), lambda root: loading_reference(root, 0)),
    "loading, 2 workers": (lambda root: loading_project(root, 2), lambda root: loading_reference(root, 2)),
    "training, avg": (
        lambda root: training_project(root, "avg", "features"),
        lambda root: training_reference(root, "avg"),
    ),
    "training, max": (
        lambda root: training_project(root, "max", "features"),
        lambda root: training_reference(root, "max"),
    ),
    "training, avg / bare step": (
        lambda root: training_project(root, "avg", "features"),
        lambda root: training_bare(root, "avg"),
    ),
    "training from waveforms / from features": (
        lambda root: training_project(root, "avg", "waveforms"),
        lambda root: training_project(root, "avg", "features"),
    ),
    "building the cache": (cache_project, cache_reference),
    "prediction, 16 members": (prediction_project, prediction_reference),
}


def measure(row: str, side: int, root: Path) -> float:
    """One measurement in a process of its own; only the project's arranges its allocator."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    if side == 0 or row.startswith(("training, avg / bare", "training from")):
        environment["THP_MEM_ALLOC_ENABLE"] = "1"
    command = [sys.executable, __file__, "--measure", row, str(side), str(root)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    return float(done.stdout.split()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", default=[""], help="rows whose names begin so")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, help="folder for speed.csv")
    parser.add_argument("--measure", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        row, side, root = arguments.measure
        print(ROWS[row][int(side)](Path(root)))
        return
    table = []
    with tempfile.TemporaryDirectory() as folder:
        make_clips(Path(folder))
        for row in ROWS:
            if not row.startswith(tuple(arguments.only)):
                continue
            pairs = [[measure(row, side, Path(folder)) for side in (0, 1)] for _ in range(arguments.rounds)]
            ratios = [project / reference for project, reference in pairs]
            rates = [statistics.median(side) for side in zip(*pairs, strict=True)]
            table.append([row, *rates, statistics.median(ratios), min(ratios), max(ratios)])
            print("{:<40} {:8.1f} against {:8.1f} clips/s: {:5.2f} ({:.2f} .. {:.2f})".format(*table[-1]), flush=True)
    if arguments.out:
        columns = ["row", "project_clips_per_s", "reference_clips_per_s", "ratio", "lowest", "highest"]
        pd.DataFrame(table, columns=columns).to_csv(arguments.out / "speed.csv", index=False, float_format="%.4g")


if __name__ == "__main__":
    main()
