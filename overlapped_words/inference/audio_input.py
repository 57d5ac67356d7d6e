"""Convert what a caller passes as audio: arrays, tensors, paths, sample rates."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from datamodules.bandwidth import band_power, warn_if_narrowband
from datamodules.decoding import Header, read_header
from datamodules.recordings import log, mix_down, read_blocks
from datamodules.resampling import resample
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
        waveform = waveform.detach().cpu()
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


def as_blocks(waveform: AudioInput, sample_rate: int | None, model_rate: int) -> Iterator[np.ndarray]:
    """One recording or waveform -> its blocks `(T,)`, float32, mono, at `model_rate` Hz, in order."""
    if isinstance(waveform, str | Path):
        path = as_path(waveform, sample_rate)
        header = read_header(path) or Header(0, model_rate)
        name, rate = str(path), header.sample_rate
        blocks = read_blocks(path, model_rate)
    else:
        name, rate = "the waveform", as_rate(sample_rate)
        waveforms = resample(as_mono(waveform), rate, model_rate)
        if len(waveforms) > 1:
            shape = tuple(waveform.shape)
            raise DataError(f"the waveform has shape {shape}, a batch; a timeline needs one waveform; {SHAPES}")
        blocks = iter(waveforms)
    power = np.zeros(2)  # of the whole recording: one block may be silence
    for block in blocks:
        power += band_power(block, model_rate)
        yield block
    warn_if_narrowband(name, power, rate, model_rate)
