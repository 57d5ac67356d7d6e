"""From Python: a trained run and a recording -> a probability for each word.

from overlapped_words import load

model = load("outputs/demo")            # the folder of a run or a sweep, or a checkpoint
probs = model(waveform, sample_rate)    # or model("clip.wav"), or a list of either
probs.nlargest(4)
timeline = model.timeline(waveform, sample_rate, hop=0.25)
"""

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, overload

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from datamodules.bandwidth import band_power, warn_if_narrowband
from datamodules.recordings import (
    fit_length,
    log,
    mix_down,
    read_blocks,
    read_clips,
    read_header,
    read_recording,
    to_int16,
    within_full_scale,
)
from datamodules.resampling import resample
from errors import DataError
from inference.checkpoints import find_checkpoints
from inference.predictor import Predictor, load_ensemble
from inference.windows import check_hop, cut_windows
from messages import count, first_names, grouped

Sound = str | Path | np.ndarray | Tensor
Sounds = list[Any] | tuple[Any, ...]  # paths, or waveforms (T,)
BATCH_SIZE = 64
TIME_IS_LAST = "a waveform is (T,), a batch of them (B, T), a batch with channels (B, channels, T)"


def load(path: str | Path, device: str | torch.device = "auto") -> "Model":
    """A run's folder, a sweep's (the ensemble of its complete members) or a checkpoint -> what knows its words.

    `device` is one of PyTorch's; "auto" takes a GPU where there is one.

    Raises:
        RunError: no checkpoint there, a file that is none, or members of different words.
    """
    return Model(load_ensemble(find_checkpoints(Path(path)), device))


class Model:
    """The mean of its members' probabilities for each of `class_names`; `load` makes it."""

    def __init__(self, predictor: Predictor) -> None:
        self.predictor = predictor.eval()
        self.class_names = predictor.class_names
        self.sample_rate = predictor.sample_rate
        self.num_samples = predictor.num_samples  # of a clip, at `sample_rate`: one second

    def __repr__(self) -> str:
        words = f"{count(len(self.class_names), 'word')} ({first_names(self.class_names)})"
        return f"<Model: {self.predictor.summary}, {words}, {self.sample_rate} Hz>"

    @overload
    def __call__(self, sound: str | Path) -> pd.Series: ...

    @overload
    def __call__(self, sound: Sounds, sample_rate: int | None = None) -> pd.DataFrame: ...

    @overload
    def __call__(self, sound: Sound, sample_rate: int | None = None) -> pd.Series | pd.DataFrame: ...

    def __call__(self, sound: Sound | Sounds, sample_rate: int | None = None) -> pd.Series | pd.DataFrame:
        """The probability of each word; they sum to 1.

        Clips are prepared as in training: average the channels, resample to the model's rate, pad a shorter clip, take
        the loudest second of a longer one. A warning is logged for narrowband audio, and for two channels of opposite
        phase.

        Args:
            sound: a waveform `(T,)`, a batch of them `(B, T)` or a batch with channels `(B, channels, T)`, as floats
                (full scale is 1) or int16 or int32; of any length. Or the path of a recording. Or a list of waveforms
                `(T,)` of any lengths, or of paths.
            sample_rate: of the waveform or the list of them, in Hz. Omit it for recordings.

        Returns:
            A Series indexed by word for one waveform or recording. A DataFrame `(B, num_classes)` for a batch or a
            list, indexed by path for a list of paths.

        Raises:
            DataError: a sound that cannot be used, or no sample rate for a waveform.
        """
        if isinstance(sound, list | tuple):
            return self._predict_list(sound, sample_rate)
        if isinstance(sound, str | Path):
            path = as_path(sound, sample_rate)
            clip = fit_length(read_recording(path, self.sample_rate), self.num_samples)
            self._check_bandwidth(path, clip)
            clips = to_int16(clip)[None]
        else:
            clips = self._to_clips(sound, sample_rate)
        probs = self.predictor.predict_clips(clips)
        if isinstance(sound, str | Path) or sound.ndim == 1:
            return pd.Series(probs[0], index=self.class_names, name="probability")
        return pd.DataFrame(probs, columns=self.class_names)

    def timeline(self, sound: Sound, sample_rate: int | None = None, hop: float = 0.25) -> pd.DataFrame:
        """The probability of each word in windows of a second that begin every `hop` seconds; the last reaches the end.

        Args:
            sound: one waveform `(T,)` or the path of a recording, else as for a call.
            sample_rate: of the waveform, in Hz.
            hop: from 0.01 to 1.

        Returns:
            A row a window, a column a word; the index holds `start_s` and `end_s`, in seconds.

        Raises:
            DataError: a sound that cannot be used, a batch of them, or a hop out of range.
        """
        return pd.concat(self.stream(sound, sample_rate, hop))

    def stream(self, sound: Sound, sample_rate: int | None = None, hop: float = 0.25) -> Iterator[pd.DataFrame]:
        """The rows of `timeline`, some at a time: a recording may be of any length, it is read block by block."""
        check_hop(hop)
        windows = cut_windows(self._blocks(sound, sample_rate), self.num_samples, round(hop * self.sample_rate))
        while batch := list(islice(windows, BATCH_SIZE)):
            starts, ends, sounds = zip(*batch, strict=True)
            clips = np.stack([to_int16(within_full_scale(window)) for window in sounds])
            bounds = [np.array(starts) / self.sample_rate, np.array(ends) / self.sample_rate]
            index = pd.MultiIndex.from_arrays(bounds, names=["start_s", "end_s"])
            yield pd.DataFrame(self.predictor.predict_clips(clips), index, self.class_names)

    def read_clips(
        self, paths: Sequence[Path], batch_size: int = BATCH_SIZE, unreadable: dict[Path, str] | None = None
    ) -> Iterator[np.ndarray]:
        """`datamodules.recordings.read_clips` for this model, with warnings about narrowband audio."""
        check = self._check_bandwidth
        return read_clips(paths, self.sample_rate, self.num_samples, batch_size, inspect=check, unreadable=unreadable)

    def _predict_list(self, sounds: Sounds, sample_rate: int | None) -> pd.DataFrame:
        index: list[str] | None = None
        if sounds and all(isinstance(sound, str | Path) for sound in sounds):
            paths = [as_path(sound, sample_rate) for sound in sounds if isinstance(sound, str | Path)]
            chunks, index = self.read_clips(paths), list(map(str, paths))
        else:
            for i, sound in enumerate(sounds):
                if not isinstance(sound, np.ndarray | Tensor) or sound.ndim != 1:
                    what = f"has shape {tuple(sound.shape)}" if hasattr(sound, "shape") else f"is {sound!r:.40}"
                    raise DataError(f"item {i} of the list {what}; give waveforms (T,), or paths alone")
            with grouped(log):
                clips = [self._to_clips(sound, sample_rate, first=i) for i, sound in enumerate(sounds)]
            chunks = iter([np.concatenate(clips)] if clips else [])
        probs = [self.predictor.predict_clips(chunk) for chunk in chunks]
        values = np.concatenate([np.empty((0, len(self.class_names)), np.float32), *probs])
        return pd.DataFrame(values, index, self.class_names)

    def _to_clips(self, sound: Any, sample_rate: int | None, first: int = 0) -> np.ndarray:
        """One waveform or a batch -> `(B, num_samples)` int16; messages count waveforms from `first`."""
        rate = as_rate(sample_rate)
        waveforms = resample(as_mono(sound, first), rate, self.sample_rate)
        clips = np.stack([fit_length(within_full_scale(waveform), self.num_samples) for waveform in waveforms])
        with grouped(log):
            for i, clip in enumerate(clips, first):
                warn_if_narrowband(f"waveform {i}", band_power(clip, self.sample_rate), rate, self.sample_rate)
        return to_int16(clips)

    def _check_bandwidth(self, path: Path, clip: np.ndarray) -> None:
        header = read_header(path)
        rate = header.sample_rate if header else self.sample_rate
        warn_if_narrowband(str(path), band_power(clip, self.sample_rate), rate, self.sample_rate)

    def _blocks(self, sound: Sound, sample_rate: int | None) -> Iterator[np.ndarray]:
        """One recording or waveform -> its blocks `(T,)`, float32, mono, at the model's sample rate, in order."""
        if isinstance(sound, str | Path):
            path = as_path(sound, sample_rate)
            header = read_header(path)
            name, rate = str(path), header.sample_rate if header else self.sample_rate
            blocks = read_blocks(path, self.sample_rate)
        else:
            name, rate = "the waveform", as_rate(sample_rate)
            waveforms = resample(as_mono(sound), rate, self.sample_rate)
            if len(waveforms) > 1:
                shape = tuple(sound.shape)
                raise DataError(f"the waveform has shape {shape}, a batch; a timeline is of one: {TIME_IS_LAST}")
            blocks = iter(waveforms)
        power = np.zeros(2)
        for block in blocks:
            power += band_power(block, self.sample_rate)
            yield block
        warn_if_narrowband(name, power, rate, self.sample_rate)


def as_path(recording: str | Path, sample_rate: int | None) -> Path:
    """The path of a recording.

    Raises:
        DataError: not there, or given with a sample rate.
    """
    if not Path(recording).is_file():
        raise DataError(f"{recording}: no such file; give a recording, or a waveform and its sample rate")
    if sample_rate is not None:
        raise DataError(f"{recording}: a recording knows its sample rate; leave out sample_rate={sample_rate}")
    return Path(recording)


def as_rate(sample_rate: float | None) -> int:
    """A sample rate in Hz as a whole number.

    Raises:
        DataError: it is none.
    """
    if not isinstance(sample_rate, int | float | np.integer | np.floating) or not float(sample_rate).is_integer():
        raise DataError(f"sample_rate is {sample_rate!r}; give how many samples of the waveform make a second")
    return int(sample_rate)


def as_mono(sound: np.ndarray | Tensor, first: int = 0) -> np.ndarray:
    """`(T,)`, `(B, T)` or `(B, channels, T)`, integers or floats -> `(B, T)` float32 in which 1 is full scale.

    Messages count waveforms from `first`.

    Raises:
        DataError: another type, shape or kind of numbers, not one sample, or one that is not finite.
    """
    if not isinstance(sound, np.ndarray | Tensor):
        raise DataError(f"the sound is a {type(sound).__name__}; give an array, a tensor or the path of a recording")
    if isinstance(sound, Tensor):
        sound = sound.detach().cpu()
        sound = (sound.float() if sound.is_floating_point() else sound).numpy()  # numpy knows no bfloat16
    shape, kind = sound.shape, sound.dtype
    if sound.ndim not in (1, 2, 3) or sound.size == 0:
        raise DataError(f"the waveform has shape {shape}; {TIME_IS_LAST}, none of them 0")
    if sound.ndim > 1 and shape[-1] < 100 and shape[-1] < shape[-2]:
        raise DataError(f"the waveform has shape {shape}, time first; {TIME_IS_LAST}: transpose it")
    if kind in (np.int16, np.int32):
        sound = sound / -float(np.iinfo(kind).min)
    elif not np.issubdtype(kind, np.floating):
        raise DataError(f"the waveform's samples are {kind}; give floats, int16 or int32")
    if sound.ndim == 3:
        with grouped(log):
            sound = np.stack([mix_down(clip.T, f"waveform {i}") for i, clip in enumerate(sound, first)])
    samples = sound.reshape(1, -1) if sound.ndim == 1 else sound
    samples = np.ascontiguousarray(samples, dtype=np.float32)
    if not np.isfinite(samples).all():
        clip, at = (int(place) for place in np.argwhere(~np.isfinite(samples))[0])
        raise DataError(f"sample {at} of waveform {first + clip} is not a finite number; correct it or leave it out")
    return samples
