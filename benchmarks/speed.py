"""Measure the speed of this project on a CPU relative to the winning notebook, in the same run.

python -m benchmarks.speed                             # all rows: about half an hour on two cores
python -m benchmarks.speed --only features training    # rows whose names start with these words

Both train the winner's network with its recipe on the same generated clips. Each measurement runs in a new process. A
round measures every row once, in alternation between project and reference (benchmarks/notebook.py). Prints a Markdown
table: median clips/s, and the median, lowest and highest ratio over the rounds. Do not run anything else meanwhile.
"""

import argparse
import multiprocessing
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import count
from pathlib import Path
from statistics import median
from timeit import timeit

import torch
from hydra.utils import instantiate
from lightning import Trainer
from omegaconf import OmegaConf

from benchmarks import notebook
from benchmarks.workload import ROOT, make_clips, rate, train
from datamodules.features import MultiResolutionMel
from datamodules.overlap import OverlapDataModule
from datamodules.sources import CompetitionFolder
from lightning_modules.mac import MAC
from overlapped_words import Model
from overlapped_words.allocator import keep_freed_memory
from overlapped_words.inference.member import TrainedNetwork
from overlapped_words.inference.predictor import Predictor

NUM_CLIPS = 640  # five batches of 128


def data_module(root: Path, cache_dir: Path, num_workers: int = 0) -> OverlapDataModule:
    """The winner's data module with its feature cache, and a trainer that is in training."""
    augment = instantiate(OmegaConf.load(ROOT / "conf" / "augment" / "winner.yaml"))
    source = CompetitionFolder(str(root), val_fraction=0)
    data = OverlapDataModule(source, {}, augment, num_workers=num_workers, cache="features", cache_dir=str(cache_dir))
    data.trainer = Trainer(accelerator="cpu", logger=False, enable_checkpointing=False)
    data.trainer.training = True
    return data


def features(root: Path) -> float:
    front_end, waveforms = MultiResolutionMel(), 0.1 * torch.randn(64, 16_000)
    return rate(lambda: len(front_end(waveforms)))


def loading(root: Path, num_workers: int) -> float:
    """Measure loading from the cache on disk plus augmentation."""
    data = data_module(root, root / "cache", num_workers)
    data.setup()
    loader = data.train_dataloader()
    stream = (data.on_after_batch_transfer(batch, 0) for _ in count() for batch in loader)
    return rate(lambda: len(next(stream)[1]))


def training(root: Path, pool: str) -> float:
    """Train for four epochs with train.py, in float32 as the notebook on a CPU; the mean speed of the last three."""
    options = (f"data.root={root}", f"model.pool={pool}", "data.cache=features", "trainer.max_epochs=4")
    return train(root, pool, "experiment=winner", *options, "trainer.precision=32-true", "overwrite=true")[0]


def caching(root: Path) -> float:
    """Measure building the feature cache from recordings."""
    with tempfile.TemporaryDirectory(dir=root) as folder:
        return NUM_CLIPS / timeit(data_module(root, Path(folder)).setup, number=1)


def prediction(root: Path) -> float:
    """Measure the Python API with sixteen members of random weights."""
    names, front_end, waveforms = [f"word{i}" for i in range(30)], MultiResolutionMel(), 0.1 * torch.randn(32, 16_000)
    networks = (MAC(pool).eval().to(memory_format=torch.channels_last) for _ in range(8) for pool in ("avg", "max"))
    members = [TrainedNetwork(names, {}, front_end, network) for network in networks]
    model = Model(Predictor(members, ["member"] * len(members)))
    return rate(lambda: len(model(waveforms, 16_000)))


ROWS: dict[str, tuple[Callable[[Path], float], Callable[[Path], float]]] = {  # this project's and the notebook's
    "features": (features, notebook.features),
    "loading, 0 workers": (partial(loading, num_workers=0), partial(notebook.loading, num_workers=0)),
    "loading, 2 workers": (partial(loading, num_workers=2), partial(notebook.loading, num_workers=2)),
    "training, avg": (partial(training, pool="avg"), partial(notebook.training, pool="avg")),
    "training, max": (partial(training, pool="max"), partial(notebook.training, pool="max")),
    "caching": (caching, notebook.caching),
    "prediction, 16 members": (prediction, notebook.prediction),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", default=[""], help="measure only rows whose names start with these words")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    rows = [row for row in ROWS if row.startswith(tuple(options.only))]
    rates: dict[str, tuple[list[float], list[float]]] = {row: ([], []) for row in rows}  # of both sides
    with tempfile.TemporaryDirectory() as folder:
        make_clips(Path(folder), NUM_CLIPS)
        for _ in range(options.rounds):
            for row, sides in rates.items():
                for i, measured in enumerate(sides):
                    prepare = None if i else keep_freed_memory  # as the scripts do; it stays, so in a new process
                    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), prepare) as executor:
                        measured.append(executor.submit(ROWS[row][i], Path(folder)).result())
                    print(f"{row}, {('project', 'reference')[i]}: {measured[-1]:.1f} clips/s", file=sys.stderr)
    print("| | project, clips/s | reference, clips/s | ratio (lowest to highest) |\n|---|---|---|---|")
    for row, (ours, reference) in rates.items():
        ratios = [rate / other for rate, other in zip(ours, reference, strict=True)]
        spread = f"{median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
        print(f"| {row} | {median(ours):.4g} | {median(reference):.4g} | {spread} |")


if __name__ == "__main__":
    main()
