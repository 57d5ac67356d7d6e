"""From Python: a trained run and a sound -> a probability for each word.

from overlapped_words import load

model = load("outputs/demo")            # a run's or a sweep's folder, or a checkpoint
probs = model(waveform, sample_rate)    # or model("clip.wav")
probs.nlargest(4)
timeline = model.timeline(waveform, sample_rate, hop=0.25)
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import overload

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from datamodules.recordings import fit_length, read_blocks, read_recording, resample, to_int16, within_full_scale
from errors import DataError
from inference.predictor import Predictor, find_checkpoints, load_ensemble
from inference.windows import check_hop, cut_windows

Sound = str | Path | np.ndarray | Tensor
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

    @overload
    def __call__(self, sound: str | Path) -> pd.Series: ...

    @overload
    def __call__(self, sound: Sound, sample_rate: int | None = None) -> pd.Series | pd.DataFrame: ...

    def __call__(self, sound: Sound, sample_rate: int | None = None) -> pd.Series | pd.DataFrame:
        """The probability of each word; they sum to 1.

        Clips are prepared as for the training: channels averaged, brought to the model's rate, shorter ones padded, of
        longer ones the loudest second taken.

        Args:
            sound: a waveform `(T,)`, a batch of them `(B, T)` or a batch with channels `(B, channels, T)`, as floats
                (full scale is 1) or int16 or int32; of any length. Or the path of a recording.
            sample_rate: of the waveform, in Hz. A recording knows its own.

        Returns:
            A Series indexed by word for one waveform or recording, for a batch a DataFrame `(B, num_classes)`.

        Raises:
            DataError: a sound that cannot be used, or no sample rate for a waveform.
        """
        waveforms = self._read(sound, sample_rate)
        clips = [to_int16(fit_length(within_full_scale(waveform), self.num_samples)) for waveform in waveforms]
        probs = self.predictor.predict_clips(np.stack(clips))
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

    def _read(self, sound: Sound, sample_rate: int | None) -> np.ndarray:
        """A recording or waveforms -> `(B, T)` float32, mono, at the model's sample rate."""
        if isinstance(sound, str | Path):
            return read_recording(as_path(sound, sample_rate), self.sample_rate)[None]
        return resample(as_mono(sound), as_rate(sample_rate), self.sample_rate)

    def _blocks(self, sound: Sound, sample_rate: int | None) -> Iterable[np.ndarray]:
        """One recording or waveform -> its blocks `(T,)`, in order, else as `_read`."""
        if isinstance(sound, str | Path):
            return read_blocks(as_path(sound, sample_rate), self.sample_rate)
        waveforms = self._read(sound, sample_rate)
        if len(waveforms) > 1:
            raise DataError(
                f"the waveform has shape {tuple(sound.shape)}, a batch; a timeline is of one: {TIME_IS_LAST}"
            )
        return waveforms


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


def as_mono(sound: np.ndarray | Tensor) -> np.ndarray:
    """`(T,)`, `(B, T)` or `(B, channels, T)`, integers or floats -> `(B, T)` float32 in which 1 is full scale.

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
    samples = sound.reshape(1, -1) if sound.ndim == 1 else sound.mean(axis=1) if sound.ndim == 3 else sound
    samples = np.ascontiguousarray(samples, dtype=np.float32)
    if not np.isfinite(samples).all():
        clip, first = (int(place) for place in np.argwhere(~np.isfinite(samples))[0])
        raise DataError(f"sample {first} of waveform {clip} is not a finite number; correct it or leave it out")
    return samples
