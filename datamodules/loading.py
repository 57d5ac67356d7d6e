"""Data loaders of batched data sets, and the sampler of on-the-fly mixtures."""

import signal
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader
from torch.utils.data.distributed import DistributedSampler

from datamodules.clips import Batch, Clips, OnTheFlyMixtures


class EpochSampler(DistributedSampler):
    """Yields (epoch, index) pairs, so that on-the-fly mixtures know the epoch, also in a worker process."""

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return ((self.epoch, index) for index in super().__iter__())


def make_loader(clips: Clips | OnTheFlyMixtures, batch_size: int, num_workers: int, **options: Any) -> DataLoader:
    """A loader of whole batches; without worker processes if the clips are in GPU memory."""
    array = clips.words if isinstance(clips, OnTheFlyMixtures) else clips.array
    on_host = isinstance(array, np.ndarray)
    num_workers = num_workers if on_host else 0  # a forked process cannot use CUDA
    forks = num_workers > 0 and sys.platform == "linux"
    return DataLoader(
        clips,
        batch_size=batch_size,
        num_workers=num_workers,
        # In a process started by joblib, the default is joblib's own start method, which DataLoader rejects.
        multiprocessing_context="fork" if forks else None,
        worker_init_fn=_ignore_signals if forks else None,
        collate_fn=_identity,
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


def _identity(batch: Any) -> Batch:
    """Collate nothing: the data sets return whole batches."""
    return batch
