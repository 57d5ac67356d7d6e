"""How clips reach the training step: the sampler of on-the-fly mixtures, data loaders, and clips in GPU memory."""

import math
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, default_convert
from torch.utils.data.distributed import DistributedSampler

from datamodules.clips import Clips, OnTheFlyMixtures, as_waveforms, gather

DeviceCache = Literal["auto", "features", "waveforms", "none"]
CHUNK = 256  # clips copied to the device at a time


class EpochSampler(DistributedSampler):
    """Yields (epoch, index) pairs, so that on-the-fly mixtures know the epoch, also in a worker process."""

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return ((self.epoch, index) for index in super().__iter__())


def make_loader(clips: Clips | OnTheFlyMixtures, batch_size: int, num_workers: int, **options: Any) -> DataLoader:
    """A loader of whole batches; without worker processes if the clips are in GPU memory."""
    on_host = isinstance(clips.array, np.ndarray)
    num_workers = num_workers if on_host else 0  # a forked process cannot use CUDA
    forks = num_workers > 0 and sys.platform == "linux"
    return DataLoader(
        clips,
        batch_size=batch_size,
        num_workers=num_workers,
        # In a process started by joblib, the default is joblib's own start method, which DataLoader rejects.
        multiprocessing_context="fork" if forks else None,
        worker_init_fn=_ignore_signals if forks else None,
        collate_fn=default_convert,  # the data sets return whole batches
        pin_memory=on_host and torch.cuda.is_available(),
        persistent_workers=num_workers > 0,
        **options,
    )


def _ignore_signals(worker: int) -> None:
    """Ignore signals in workers: Ctrl-C and Slurm signal every process, but only the training process handles them.

    It would fail if a worker ended first, and workers inherit its handler that requeues a Slurm job.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR2):
        signal.signal(number, signal.SIG_IGN)


def cache_on_device(
    clips: Clips | OnTheFlyMixtures,
    device: torch.device,
    choice: DeviceCache,
    to_features: Callable[[Tensor], Tensor] | None,
) -> Clips | OnTheFlyMixtures:
    """Return the data set with its array in the memory of `device`, or unchanged if it stays on the host.

    Args:
        clips: the data set on the host.
        device: where training runs.
        choice: "features" computes the features once and keeps them in float16; "waveforms" copies the array unchanged;
            "auto" takes the first of the two that needs at most half of a GPU's free memory; "none" takes neither.
        to_features: waveforms `(B, T)` int16 on the device -> features `(B, C, F, T)`; None if they differ from step to
            step, so that the waveforms must be stored.
    """
    if choice == "none" or (choice == "auto" and device.type != "cuda"):
        return clips
    rows = clips.rows if isinstance(clips, Clips) else np.arange(len(clips.array))
    first = gather(clips.array, rows[:1]).to(device)
    forms: list[Callable[[Tensor], Tensor]] = [lambda chunk: chunk]
    if to_features and choice != "waveforms" and isinstance(clips, Clips) and as_waveforms(first) is not None:
        forms.insert(0, lambda chunk: to_features(chunk).half())
    budget = torch.cuda.mem_get_info(device)[0] // 2 if choice == "auto" else math.inf
    for form in forms:
        clip = form(first)
        if len(rows) * clip.nbytes <= budget:
            stored = clip.new_empty((len(rows), *clip.shape[1:]))
            for start in range(0, len(rows), CHUNK):
                chunk = rows[start : start + CHUNK]
                stored[start : start + len(chunk)] = form(gather(clips.array, chunk).to(device))
            if isinstance(clips, OnTheFlyMixtures):
                return replace(clips, array=stored)
            return replace(clips, array=stored, rows=np.arange(len(rows)))
    return clips
