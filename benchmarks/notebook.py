"""The notebook's way, in plain code: what the speed of this project is measured against.

One clip at a time: features by torchaudio, `torch.save` and `torch.load` of a float32 file a clip, augmentation in the
data set; the network in PyTorch's default memory layout, with its default allocator.
"""

import random
from collections.abc import Sequence
from pathlib import Path

import soundfile
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchaudio.transforms import AmplitudeToDB, FrequencyMasking, MelSpectrogram, TimeMasking

from lightning_modules.mac import MAC


class Features(nn.Module):
    """One waveform `(1, 16000)` -> `(4, 160, 160)`."""

    def __init__(self) -> None:
        super().__init__()
        self.transforms = nn.ModuleList(
            nn.Sequential(
                MelSpectrogram(16_000, 2048, win_length, 100, f_min=25, f_max=7500, pad=50, n_mels=160), AmplitudeToDB()
            )
            for win_length in (250, 500, 750, 1000)
        )
        self.register_buffer("slope", torch.linspace(-0.5, 0.5, 160).view(1, -1, 1))

    @torch.no_grad()
    def forward(self, waveform: Tensor) -> Tensor:
        out = torch.stack([transform(waveform)[0, :, 1:-1] for transform in self.transforms])
        return (out - out.mean(dim=[1, 2], keepdim=True)) / 20 + self.slope


class Files(Dataset):
    """A file of features a clip, augmented one by one."""

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


def build_cache(recordings: Sequence[Path], folder: Path) -> list[Path]:
    """Recordings -> a file of features each."""
    extractor, files = Features(), []
    for path in recordings:
        waveform = torch.from_numpy(soundfile.read(path, dtype="float32")[0])[None]
        files.append(folder / f"{path.stem}.pt")
        torch.save(extractor(waveform), files[-1])
    return files


def loader(files: Sequence[Path], targets: Tensor, num_workers: int) -> DataLoader:
    return DataLoader(Files(files, targets), batch_size=128, shuffle=True, drop_last=True, num_workers=num_workers)


class Training:
    """The network and its step."""

    def __init__(self, pool: str) -> None:
        self.network = MAC(pool)
        self.optimizer = torch.optim.SGD(self.network.parameters(), lr=0.2, momentum=0.9, weight_decay=1e-4)

    def step(self, features: Tensor, targets: Tensor) -> None:
        self.optimizer.zero_grad()
        F.kl_div(self.network(features), targets, reduction="batchmean").backward()
        self.optimizer.step()
