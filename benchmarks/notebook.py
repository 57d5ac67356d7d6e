"""The reference for speed.py and gpu.py: a reimplementation of the winning notebook's pipeline.

It processes one clip at a time: torchaudio features, one float32 file per clip (`torch.save`, `torch.load`),
augmentation in the dataset. The network uses PyTorch's default memory layout and allocator. The benchmark functions at
the end take the folder of clips and return clips/s.
"""

import random
import tempfile
from collections.abc import Iterator, Sequence
from itertools import repeat
from pathlib import Path
from timeit import timeit
from typing import Any

import pandas as pd
import soundfile
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchaudio.transforms import AmplitudeToDB, FrequencyMasking, MelSpectrogram, TimeMasking

from benchmarks.workload import rate
from lightning_modules.mac import MAC

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")


class Features(nn.Module):
    """One waveform `(1, 16000)` -> features `(4, 160, 160)`."""

    def __init__(self) -> None:
        super().__init__()
        self.transforms = nn.ModuleList(
            nn.Sequential(
                MelSpectrogram(16_000, 2048, win_length, 100, f_min=25, f_max=7500, pad=50, n_mels=160), AmplitudeToDB()
            )
            for win_length in (250, 500, 750, 1000)
        )
        self.slope = torch.linspace(-0.5, 0.5, 160).view(1, -1, 1)

    @torch.no_grad()
    def forward(self, waveform: Tensor) -> Tensor:
        out = torch.stack([transform(waveform)[0, :, 1:-1] for transform in self.transforms])
        return (out - out.mean(dim=[1, 2], keepdim=True)) / 20 + self.slope


class Files(Dataset):
    """One feature file per clip, augmented clip by clip."""

    def __init__(self, files: Sequence[Path], targets: Tensor) -> None:
        self.files, self.targets = files, targets
        self.masks = nn.Sequential(FrequencyMasking(32), TimeMasking(12), TimeMasking(12))

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        features, target = self.masks(torch.load(self.files[index])), self.targets[index]
        i, j = random.randrange(64), random.randrange(64)
        features = F.pad(features, [32] * 4)[:, i : i + 160, j : j + 160]
        if random.random() > 0.25:
            weight, other = random.uniform(0.05, 0.25), random.randrange(len(self))
            features = (1 - weight) * features + weight * torch.load(self.files[other])
            target = (1 - weight) * target + weight * self.targets[other]
        return features, target


def build_cache(recordings: Sequence[Path], folder: Path) -> None:
    """Compute the features of each recording; write one file per recording."""
    extractor = Features()
    for path in recordings:
        waveform = torch.from_numpy(soundfile.read(path, dtype="float32")[0])[None]
        torch.save(extractor(waveform), folder / f"{path.stem}.pt")


def batches(root: Path, num_workers: int, copies: int = 1, batch_size: int = 128) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield training batches indefinitely, in epochs of `copies` of every clip; the first call writes the files."""
    folder = root / "files"
    if not folder.exists():
        folder.mkdir()
        build_cache(sorted((root / "train").iterdir()), folder)
    targets = torch.from_numpy(pd.read_csv(root / "train_answer.csv").iloc[:, 1:].to_numpy("float32"))
    files = Files(sorted(folder.iterdir()) * copies, targets.repeat(copies, 1))
    # Starting the workers would dominate epochs of so few clips.
    workers: dict[str, Any] = {"num_workers": num_workers, "persistent_workers": num_workers > 0}
    loader = DataLoader(files, batch_size, shuffle=True, drop_last=True, pin_memory=DEVICE.type == "cuda", **workers)
    while True:
        yield from loader


def features(root: Path) -> float:
    extractor, waveforms = Features(), 0.1 * torch.randn(64, 1, 16_000)
    return rate(lambda: len([extractor(waveform) for waveform in waveforms]))


def loading(root: Path, num_workers: int) -> float:
    stream = batches(root, num_workers)
    return rate(lambda: len(next(stream)[1]))


def caching(root: Path) -> float:
    recordings = sorted((root / "train").iterdir())
    with tempfile.TemporaryDirectory(dir=root) as folder:
        return len(recordings) / timeit(lambda: build_cache(recordings, Path(folder)), number=1)


def training(root: Path, pool: Any = "avg", seconds: float = 30.0, loads: bool = True, **loading: int) -> float:
    """Measure training, in 16-bit mixed precision on a GPU; without `loads`, on one batch on the device."""
    on_gpu, stream = DEVICE.type == "cuda", batches(root, **{"num_workers": 2, **loading})
    if not loads:
        x, y = next(stream)
        stream = repeat((x.to(DEVICE), y.to(DEVICE)))
    network = MAC(pool).to(DEVICE)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.2, momentum=0.9, weight_decay=1e-4)
    scaler = torch.amp.GradScaler(DEVICE.type, enabled=on_gpu)

    def step() -> int:
        x, y = next(stream)
        optimizer.zero_grad()
        with torch.autocast(DEVICE.type, torch.float16, enabled=on_gpu):
            loss = F.kl_div(network(x.to(DEVICE)), y.to(DEVICE), reduction="batchmean")
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        loss.item()  # as the notebook's progress bar does
        return len(y)

    return rate(step, seconds)


@torch.no_grad()
def prediction(root: Path) -> float:
    """Sixteen members, one after the other, each computing its own features."""
    extractor, waveforms = Features(), 0.1 * torch.randn(32, 1, 16_000)
    members = [network.eval() for _ in range(8) for network in (MAC("avg"), MAC("max"))]

    def predict() -> int:
        probs = [member(torch.stack([extractor(w) for w in waveforms])).exp() for member in members]
        return len(sum(probs) / len(probs))

    return rate(predict)
