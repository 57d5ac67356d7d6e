"""Prepare what a caller passes as single clips, each as in training: one second, the loudest of a longer recording."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from datamodules import recordings
from datamodules.bandwidth import band_power, warn_if_narrowband
from datamodules.decoding import Header, read_header
from datamodules.recordings import fit_length, log, within_full_scale
from datamodules.resampling import resample
from datamodules.waveforms import to_int16
from overlapped_words.errors import DataError
from overlapped_words.inference.audio_input import AudioInput, AudioInputs, as_mono, as_path, as_rate
from overlapped_words.messages import grouped, printable

LOUDEST = "only the loudest second of %s is used; add hop=0.25 for a timeline of all of it"
LONG = 2  # seconds; a longer recording is not a single clip


def read_clips(
    paths: Sequence[Path], rate: int, num_samples: int, batch_size: int, unreadable: dict[Path, str] | None = None
) -> Iterator[np.ndarray]:
    """`datamodules.recordings.read_clips`, with a warning for a recording that is narrowband or long."""

    def inspect(path: Path, clip: np.ndarray) -> None:
        header = read_header(path) or Header(0, rate)
        warn_if_narrowband(str(path), band_power(clip, rate), header.sample_rate, rate)
        if header.seconds > LONG:
            log.warning(LOUDEST, f"{header.seconds:,.0f} s ({printable(str(path))})")

    return recordings.read_clips(paths, rate, num_samples, batch_size, inspect=inspect, unreadable=unreadable)


def as_clips(waveform: Any, sample_rate: int | None, model_rate: int, num_samples: int, first: int = 0) -> np.ndarray:
    """One waveform or a batch -> `(B, num_samples)` int16 at `model_rate` Hz; messages number them from `first`."""
    rate = as_rate(sample_rate)
    waveforms = resample(as_mono(waveform, first), rate, model_rate)
    clips = np.stack([fit_length(within_full_scale(samples), num_samples) for samples in waveforms])
    with grouped(log):
        for i, clip in enumerate(clips, first):
            warn_if_narrowband(f"waveform {i}", band_power(clip, model_rate), rate, model_rate)
    return to_int16(clips)


def as_chunks(
    waveform: AudioInput | AudioInputs, sample_rate: int | None, rate: int, num_samples: int, batch_size: int
) -> tuple[Iterable[np.ndarray], list[str] | None, bool]:
    """What a caller passes -> chunks of clips `(B, num_samples)` int16 at `rate` Hz.

    Also the index of the clips, if they are paths in a list, and whether it is one clip, not in a batch or a list.
    """
    if isinstance(waveform, str | Path):
        return read_clips([as_path(waveform, sample_rate)], rate, num_samples, batch_size), None, True
    if not isinstance(waveform, list | tuple):
        return [as_clips(waveform, sample_rate, rate, num_samples)], None, waveform.ndim == 1
    if waveform and all(isinstance(item, str | Path) for item in waveform):
        paths = [as_path(item, sample_rate) for item in waveform]
        return read_clips(paths, rate, num_samples, batch_size), list(map(str, paths)), False
    for i, item in enumerate(waveform):
        if not isinstance(item, np.ndarray | Tensor) or item.ndim != 1:
            what = f"has shape {tuple(item.shape)}" if hasattr(item, "shape") else f"is {item!r:.40}"
            raise DataError(f"item {i} of the list {what}; give only waveforms (T,), or only paths")
    with grouped(log):
        return [as_clips(item, sample_rate, rate, num_samples, i) for i, item in enumerate(waveform)], None, False
