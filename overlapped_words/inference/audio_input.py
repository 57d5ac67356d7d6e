"""Convert what a caller passes as audio: arrays, tensors, paths; whole, or as clips prepared as in training."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from datamodules.decoding import read_header
from datamodules.recordings import (
    fit_length,
    log,
    mix_down,
    read_blocks,
    read_clips,
    warn_if_narrowband,
    within_full_scale,
)
from datamodules.waveforms import resample, to_int16
from overlapped_words.errors import DataError
from overlapped_words.messages import grouped

AudioInput = str | Path | np.ndarray | Tensor
AudioInputs = list[Any] | tuple[Any, ...]  # paths, or waveforms (T,)
SHAPES = "a waveform is (T,), a batch of them (B, T), a batch with channels (B, channels, T)"
MIN_SAMPLES = 100  # a shorter last axis is taken for channels if the axis before it is longer


def as_path(recording: str | Path, sample_rate: int | None) -> Path:
    """The path of a recording; a DataError if it does not exist, or is given with a sample rate."""
    if not Path(recording).exists():
        raise DataError(f"{recording}: file not found; give a recording, or a waveform and its sample rate")
    if sample_rate is not None:
        raise DataError(f"{recording}: do not pass sample_rate with a path; its header contains the rate")
    return Path(recording)


def as_rate(sample_rate: float | None) -> int:
    """A sample rate in Hz as an integer; a DataError if it is not one."""
    if not isinstance(sample_rate, int | float | np.integer | np.floating) or not float(sample_rate).is_integer():
        raise DataError(f"sample_rate is {sample_rate!r}; give the waveform's sample rate, an integer in Hz")
    return int(sample_rate)


def as_mono(waveform: np.ndarray | Tensor, first: int = 0) -> np.ndarray:
    """`(T,)`, `(B, T)` or `(B, channels, T)`, integers or floats -> `(B, T)` float32; full scale is 1.

    Messages number waveforms from `first`.

    Raises:
        DataError: another type, shape or dtype, no samples, or samples that are not finite.
    """
    if isinstance(waveform, Tensor):
        waveform = waveform.detach().cpu().resolve_neg()
        waveform = (waveform.float() if waveform.is_floating_point() else waveform).numpy()  # numpy has no bfloat16
    if not isinstance(waveform, np.ndarray):
        raise DataError(f"expected an array, a tensor or the path of a recording, got {type(waveform).__name__}")
    shape, dtype = waveform.shape, waveform.dtype
    if waveform.ndim not in (1, 2, 3) or waveform.size == 0:
        raise DataError(f"the waveform has shape {shape}; {SHAPES}; no size may be 0")
    if waveform.ndim > 1 and shape[-1] < MIN_SAMPLES and shape[-1] < shape[-2]:
        raise DataError(f"the waveform has shape {shape}, time first; {SHAPES}: transpose it")
    if dtype in (np.int16, np.int32):
        waveform = waveform / -float(np.iinfo(dtype).min)
    elif not np.issubdtype(dtype, np.floating):
        raise DataError(f"the waveform has dtype {dtype}; give floats, int16 or int32")
    if waveform.ndim == 3:
        with grouped(log):
            waveform = np.stack([mix_down(clip.T, f"waveform {i}") for i, clip in enumerate(waveform, first)])
    samples = np.ascontiguousarray(np.atleast_2d(waveform), dtype=np.float32)
    if not np.isfinite(samples).all():
        i, sample = np.argwhere(~np.isfinite(samples))[0]
        raise DataError(f"sample {sample} of waveform {first + i} is not a finite number; correct it or leave it out")
    return samples


def as_mono_blocks(blocks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """`as_mono` of consecutive blocks `(T,)` of one waveform, of which some may be empty."""
    for i, block in enumerate(blocks):
        if (shape := np.shape(block)) == (0,):
            continue
        if len(shape) != 1:
            raise DataError(f"block {i} has shape {tuple(shape)}; give blocks (T,) of one channel")
        yield as_mono(block, first=i)[0]


def as_blocks(waveform: AudioInput, sample_rate: int | None) -> Iterator[np.ndarray]:
    """One recording or waveform -> its blocks `(T,)`, float32, mono, at SAMPLE_RATE, in order."""
    if isinstance(waveform, str | Path):
        path = as_path(waveform, sample_rate)
        name, rate, blocks = str(path), read_header(path).sample_rate, read_blocks(path)
    else:
        name, rate = "the waveform", as_rate(sample_rate)
        waveforms = resample(as_mono(waveform), rate)
        if len(waveforms) > 1:
            shape = tuple(waveform.shape)
            raise DataError(f"the waveform has shape {shape}, a batch; a timeline needs one waveform; {SHAPES}")
        blocks = iter(waveforms)
    warn_if_narrowband(name, rate)
    yield from blocks


def as_clips(waveform: Any, sample_rate: int | None, first: int = 0) -> np.ndarray:
    """One waveform or a batch -> `(B, NUM_SAMPLES)` int16 at SAMPLE_RATE; messages number them from `first`."""
    rate = as_rate(sample_rate)
    waveforms = resample(as_mono(waveform, first), rate)
    clips = np.stack([fit_length(within_full_scale(samples)) for samples in waveforms])
    with grouped(log):
        for i in range(first, first + len(clips)):
            warn_if_narrowband(f"waveform {i}", rate)
    return to_int16(clips)


def as_chunks(
    waveform: AudioInput | AudioInputs, sample_rate: int | None, batch_size: int
) -> tuple[Iterable[np.ndarray], list[str] | None, bool]:
    """What a caller passes -> chunks of clips `(B, NUM_SAMPLES)` int16 at SAMPLE_RATE.

    Also the index of the clips, if they are paths in a list, and whether it is one clip, not in a batch or a list.
    """
    if isinstance(waveform, str | Path):
        return read_clips([as_path(waveform, sample_rate)], batch_size, warn=True), None, True
    if not isinstance(waveform, list | tuple):
        return [as_clips(waveform, sample_rate)], None, waveform.ndim == 1
    if waveform and all(isinstance(item, str | Path) for item in waveform):
        paths = [as_path(item, sample_rate) for item in waveform]
        return read_clips(paths, batch_size, warn=True), list(map(str, paths)), False
    for i, item in enumerate(waveform):
        if not isinstance(item, np.ndarray | Tensor) or item.ndim != 1:
            what = f"has shape {tuple(item.shape)}" if hasattr(item, "shape") else f"is {item!r:.40}"
            raise DataError(f"item {i} of the list {what}; give only waveforms (T,), or only paths")
    with grouped(log):
        return [as_clips(item, sample_rate, i) for i, item in enumerate(waveform)], None, False
