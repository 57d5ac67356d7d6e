"""Keep clips in GPU memory: batches are gathered and mixed there, and only indices leave the host."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from datamodules.clips import Batch, Clips, OnTheFlyMixtures
from datamodules.mixing import send

CHOICES = ("features", "waveforms", "none", "auto")
CHUNK = 256  # clips copied to the device at a time


class DeviceClips(Dataset[Any]):
    """Fixed clips of one split on a device.

    Args:
        array: `(N, T)` int16 waveforms or `(N, C, F, T)` float16 features.
        targets: `(N, num_classes)` float32, or None if unknown.
    """

    def __init__(self, array: Tensor, targets: np.ndarray | None) -> None:
        self.array = array
        known = torch.empty(len(array), 0) if targets is None else torch.from_numpy(targets)
        self.targets = known.to(array.device)

    def __len__(self) -> int:
        return len(self.array)

    def __getitems__(self, indices: Sequence[int]) -> Batch:
        """Like `Clips.__getitems__`, with the batch on the device."""
        index = send(torch.as_tensor(indices), self.array.device)
        return self.array[index], self.targets[index]


def place(
    clips: Clips | OnTheFlyMixtures,
    device: torch.device,
    choice: str,
    to_features: Callable[[Tensor], Tensor] | None,
) -> Clips | OnTheFlyMixtures | DeviceClips:
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
    budget = torch.cuda.mem_get_info(device)[0] // 2 if choice == "auto" else None

    def fits(num_bytes: int) -> bool:
        return budget is None or num_bytes <= budget

    if isinstance(clips, OnTheFlyMixtures):
        words = np.asarray(clips.words)
        return clips.with_words(_copy(words, np.arange(len(words)), device)) if fits(words.nbytes) else clips
    first = torch.from_numpy(clips.array[clips.rows[:1]]).to(device)
    if to_features is not None and first.dim() == 2 and choice != "waveforms":

        def in_float16(waveforms: Tensor) -> Tensor:
            return to_features(waveforms).half()

        if fits(len(clips) * in_float16(first).nbytes):
            return DeviceClips(_copy(clips.array, clips.rows, device, in_float16), clips.targets)
    if fits(len(clips) * first.nbytes):
        return DeviceClips(_copy(clips.array, clips.rows, device), clips.targets)
    return clips


def _copy(
    array: np.ndarray, rows: np.ndarray, device: torch.device, function: Callable[[Tensor], Tensor] | None = None
) -> Tensor:
    """Copy rows of an array, or a function of them, to one tensor on the device, in chunks."""
    out: Tensor | None = None
    for start in range(0, len(rows), CHUNK):
        chunk = torch.from_numpy(array[rows[start : start + CHUNK]]).to(device)
        chunk = function(chunk) if function else chunk
        if out is None:
            out = chunk.new_empty((len(rows), *chunk.shape[1:]))
        out[start : start + CHUNK] = chunk
    assert out is not None
    return out
