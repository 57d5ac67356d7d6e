"""Keep clips in GPU memory: batches are gathered and mixed there, and only indices leave the host."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from datamodules.clips import Clips, OnTheFlyMixtures, as_waveforms, gather

DeviceCache = Literal["auto", "features", "waveforms", "none"]
CHUNK = 256  # clips copied to the device at a time


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
    if isinstance(clips, OnTheFlyMixtures):
        array, rows = clips.words, np.arange(len(clips.words))
    else:
        array, rows = clips.array, clips.rows
    first = gather(array, rows[:1]).to(device)
    forms: list[Callable[[Tensor], Tensor]] = [lambda chunk: chunk]
    if to_features and choice != "waveforms" and isinstance(clips, Clips) and as_waveforms(first) is not None:
        forms.insert(0, lambda chunk: to_features(chunk).half())
    budget = torch.cuda.mem_get_info(device)[0] // 2 if choice == "auto" else math.inf
    for form in forms:
        if len(rows) * form(first).nbytes <= budget:
            stored = _copy(array, rows, device, form)
            if isinstance(clips, OnTheFlyMixtures):
                return replace(clips, words=stored)
            return replace(clips, array=stored, rows=np.arange(len(rows)))
    return clips


def _copy(
    array: np.ndarray | Tensor, rows: np.ndarray, device: torch.device, form: Callable[[Tensor], Tensor]
) -> Tensor:
    """Copy rows of an array, in another form, to one tensor on the device, in chunks."""
    out: Tensor | None = None
    for start in range(0, len(rows), CHUNK):
        chunk = form(gather(array, rows[start : start + CHUNK]).to(device))
        if out is None:
            out = chunk.new_empty((len(rows), *chunk.shape[1:]))
        out[start : start + len(chunk)] = chunk
    assert out is not None
    return out
