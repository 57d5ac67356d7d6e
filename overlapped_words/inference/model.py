"""The Python API: load a trained run, give it recordings or waveforms."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from datamodules.bandwidth import band_power, warn_if_narrowband
from datamodules.decoding import Header, read_header
from datamodules.recordings import fit_length, log, read_blocks, read_clips, within_full_scale
from datamodules.resampling import resample
from datamodules.waveforms import to_int16
from overlapped_words.errors import DataError, RunError
from overlapped_words.inference.audio_input import SHAPES, AudioInput, AudioInputs, as_mono, as_path, as_rate
from overlapped_words.inference.checkpoints import find_checkpoints
from overlapped_words.inference.prediction import Prediction
from overlapped_words.inference.predictor import BATCH_SIZE, Predictor, load_predictor
from overlapped_words.inference.windows import cut_windows
from overlapped_words.messages import count, first_names, grouped, printable
from overlapped_words.pretrained import PRETRAINED

if TYPE_CHECKING:
    import pandas as pd

LOUDEST = "only the loudest second of %s is used; add hop=0.25 for a timeline of all of it"
LONG = 2  # seconds; a longer recording is not a single clip


def load(path: str | Path = PRETRAINED, device: str | torch.device = "auto") -> "Model":
    """Load a trained model.

    Args:
        path: the folder of a run, the folder of a sweep (the ensemble of its complete members), a checkpoint, or a file
            of `export.py format=safetensors`; by default the network that comes with the project.
        device: a device of PyTorch; "auto" is a GPU if there is one.

    Raises:
        RunError: no checkpoint at `path`, a file that is not one, or members with different words.
    """
    return Model(load_predictor(find_checkpoints(Path(path)), device))


class Model:
    """Predict the probability of each of `class_names`; made by `load`."""

    def __init__(self, predictor: Predictor) -> None:
        self.predictor = predictor.eval()
        self.class_names = predictor.class_names
        self.sample_rate = predictor.sample_rate
        self.num_samples = predictor.num_samples  # of a clip, at `sample_rate`: one second

    def __repr__(self) -> str:
        words = f"{count(len(self.class_names), 'word')} ({first_names(self.class_names)})"
        return f"<Model: {self.predictor.summary}, {words}, {self.sample_rate} Hz>"

    def __call__(self, waveform: AudioInput | AudioInputs, sample_rate: int | None = None) -> "pd.Series | Any":
        """Predict the probability of each word; the probabilities of a clip sum to 1.

        Clips are prepared as in training: average the channels, resample to the model's rate, pad a shorter clip, take
        the loudest second of a longer one. A warning is logged for narrowband audio, for two channels of opposite
        phase, and for a recording of more than two seconds.

        Args:
            waveform: a waveform `(T,)`, a batch of them `(B, T)` or a batch with channels `(B, channels, T)`, as floats
                (full scale is 1), int16 or int32, of any length. Or the path of a recording. Or a list of waveforms
                `(T,)` of any lengths, or a list of paths.
            sample_rate: of the waveforms, in Hz. Omit it for recordings.

        Returns:
            A Series indexed by word for one waveform or recording. A DataFrame `(B, num_classes)` for a batch or a
            list, indexed by path for a list of paths.

        Raises:
            DataError: audio that cannot be used, or a waveform without a sample rate.
        """
        prediction, index, alone = self._predict(waveform, sample_rate)
        import pandas as pd  # here: predict.py does not need it for one clip

        probs = pd.DataFrame(prediction.probs, index, self.class_names)
        return probs.iloc[0].rename("probability") if alone else probs

    def word_sets(
        self, waveform: AudioInput | AudioInputs, sample_rate: int | None = None
    ) -> "pd.Series | pd.DataFrame":
        """Predict which set of words a clip contains; the arguments are those of a call.

        Returns:
            A Series, or a DataFrame with one row per clip: `words`, the most likely set, a list that may be empty, the
            most probable word first; `probability`, that of this set; and if the number of words varies, `num_words_0`,
            `num_words_1`, ..., the probability of each number.

        Raises:
            DataError: as for a call.
            RunError: a member was not trained with model.output=set, or on other numbers of words than another one.
        """
        if self.predictor.k is None:
            raise RunError(
                "only members that were all trained with model.output=set, on equal numbers of words, predict sets of "
                "words; call the model itself for the probability of each word"
            )
        prediction, index, alone = self._predict(waveform, sample_rate)
        import pandas as pd

        assert prediction.sets
        columns = {"words": prediction.likely_words(self.class_names), "probability": prediction.sets.probs}
        sets = pd.DataFrame(columns | prediction.num_words, index)
        return sets.iloc[0] if alone else sets

    def timeline(self, waveform: AudioInput, sample_rate: int | None = None, hop: float = 0.25) -> "pd.DataFrame":
        """Predict the probability of each word in one-second windows, one every `hop` seconds; the last ends with the
        audio.

        Args:
            waveform: one waveform `(T,)` or the path of a recording, otherwise as for a call.
            sample_rate: of the waveform, in Hz.
            hop: seconds from one window to the next, 0.01 to 1.

        Returns:
            One row per window, one column per word; the index levels are `start_s` and `end_s`, in seconds. A row sums
            to the probability that the window has any word, which is 1 for models that do not predict it.

        Raises:
            DataError: audio that cannot be used, a batch, or a hop out of range.
        """
        import pandas as pd

        return pd.concat(self.stream(waveform, sample_rate, hop))

    def stream(
        self, waveform: AudioInput, sample_rate: int | None = None, hop: float = 0.25
    ) -> "Iterator[pd.DataFrame]":
        """Yield the rows of `timeline` in batches. Recordings are read block by block and may have any length."""
        import pandas as pd

        if not 0.01 <= hop <= 1:
            raise DataError(f"hop is {hop!r}; give 0.01 to 1 seconds, for example hop=0.25")
        windows = cut_windows(self._blocks(waveform, sample_rate), self.num_samples, round(hop * self.sample_rate))
        while batch := list(islice(windows, BATCH_SIZE)):
            starts, ends, samples = zip(*batch, strict=True)
            clips = np.stack([to_int16(within_full_scale(window)) for window in samples])
            bounds = [np.array(starts) / self.sample_rate, np.array(ends) / self.sample_rate]
            index = pd.MultiIndex.from_arrays(bounds, names=["start_s", "end_s"])
            probs, sets = self.predictor.predict_clips(clips)
            yield pd.DataFrame(probs * sets.any_word[:, None] if sets else probs, index, self.class_names)

    def read_clips(
        self, paths: Sequence[Path], batch_size: int = BATCH_SIZE, unreadable: dict[Path, str] | None = None
    ) -> Iterator[np.ndarray]:
        """`datamodules.recordings.read_clips` at this model's sample rate, with the warnings of a call."""
        inspect = self._inspect
        return read_clips(paths, self.sample_rate, self.num_samples, batch_size, inspect=inspect, unreadable=unreadable)

    def _predict(
        self, waveform: AudioInput | AudioInputs, sample_rate: int | None
    ) -> tuple[Prediction, list[str] | None, bool]:
        """The prediction, the index of its rows, and whether it is for one clip that was not in a batch or a list."""
        index, alone = None, False
        chunks: Iterable[np.ndarray]  # clips (B, num_samples) int16
        if isinstance(waveform, str | Path):
            chunks, alone = self.read_clips([as_path(waveform, sample_rate)]), True
        elif not isinstance(waveform, list | tuple):
            chunks, alone = [self._to_clips(waveform, sample_rate)], waveform.ndim == 1
        elif waveform and all(isinstance(item, str | Path) for item in waveform):
            paths = [as_path(item, sample_rate) for item in waveform]
            chunks, index = self.read_clips(paths), list(map(str, paths))
        else:
            for i, item in enumerate(waveform):
                if not isinstance(item, np.ndarray | Tensor) or item.ndim != 1:
                    what = f"has shape {tuple(item.shape)}" if hasattr(item, "shape") else f"is {item!r:.40}"
                    raise DataError(f"item {i} of the list {what}; give only waveforms (T,), or only paths")
            with grouped(log):
                chunks = [self._to_clips(item, sample_rate, first=i) for i, item in enumerate(waveform)]
        return self.predictor.predict_chunks(chunks), index, alone

    def _to_clips(self, waveform: Any, sample_rate: int | None, first: int = 0) -> np.ndarray:
        """One waveform or a batch -> `(B, num_samples)` int16; messages number waveforms from `first`."""
        rate = as_rate(sample_rate)
        waveforms = resample(as_mono(waveform, first), rate, self.sample_rate)
        clips = np.stack([fit_length(within_full_scale(samples), self.num_samples) for samples in waveforms])
        with grouped(log):
            for i, clip in enumerate(clips, first):
                warn_if_narrowband(f"waveform {i}", band_power(clip, self.sample_rate), rate, self.sample_rate)
        return to_int16(clips)

    def _inspect(self, path: Path, clip: np.ndarray) -> None:
        """Warn if a recording is narrowband, or so long that its loudest second is a small part of it."""
        header = read_header(path) or Header(0, self.sample_rate)
        warn_if_narrowband(str(path), band_power(clip, self.sample_rate), header.sample_rate, self.sample_rate)
        if header.seconds > LONG:
            log.warning(LOUDEST, f"{header.seconds:,.0f} s ({printable(str(path))})")

    def _blocks(self, waveform: AudioInput, sample_rate: int | None) -> Iterator[np.ndarray]:
        """One recording or waveform -> its blocks `(T,)`, float32, mono, at the model's sample rate, in order."""
        if isinstance(waveform, str | Path):
            path = as_path(waveform, sample_rate)
            header = read_header(path) or Header(0, self.sample_rate)
            name, rate = str(path), header.sample_rate
            blocks = read_blocks(path, self.sample_rate)
        else:
            name, rate = "the waveform", as_rate(sample_rate)
            waveforms = resample(as_mono(waveform), rate, self.sample_rate)
            if len(waveforms) > 1:
                shape = tuple(waveform.shape)
                raise DataError(f"the waveform has shape {shape}, a batch; a timeline needs one waveform; {SHAPES}")
            blocks = iter(waveforms)
        power = np.zeros(2)  # of the whole recording: one block may be silence
        for block in blocks:
            power += band_power(block, self.sample_rate)
            yield block
        warn_if_narrowband(name, power, rate, self.sample_rate)
