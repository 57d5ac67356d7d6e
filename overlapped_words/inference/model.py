"""The Python API: load a trained run, give it recordings or waveforms."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from datamodules.waveforms import NUM_SAMPLES, SAMPLE_RATE
from overlapped_words.errors import DataError, RunError
from overlapped_words.inference.audio_input import (
    AudioInput,
    AudioInputs,
    as_blocks,
    as_chunks,
    as_mono_blocks,
    as_rate,
)
from overlapped_words.inference.checkpoints import find_checkpoints
from overlapped_words.inference.events import Event, EventRule
from overlapped_words.inference.listening import detect, predict_windows, resample_blocks
from overlapped_words.inference.prediction import Prediction
from overlapped_words.inference.predictor import BATCH_SIZE, Predictor, load_predictor
from overlapped_words.messages import count, first_names
from overlapped_words.pretrained import PRETRAINED


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

    sample_rate = SAMPLE_RATE  # in Hz
    num_samples = NUM_SAMPLES  # of a clip, at `sample_rate`: one second

    def __init__(self, predictor: Predictor) -> None:
        self.predictor = predictor.eval()
        self.class_names = predictor.class_names

    def __repr__(self) -> str:
        words = f"{count(len(self.class_names), 'word')} ({first_names(self.class_names)})"
        return f"<Model: {self.predictor.summary}, {words}, {SAMPLE_RATE} Hz>"

    def __call__(self, waveform: AudioInput | AudioInputs, sample_rate: int | None = None) -> pd.Series | Any:
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
        prediction, index, alone = self.predict(waveform, sample_rate)
        probs = pd.DataFrame(prediction.probs, index, self.class_names)
        return probs.iloc[0].rename("probability") if alone else probs

    def presence(self, waveform: AudioInput | AudioInputs, sample_rate: int | None = None) -> pd.Series | pd.DataFrame:
        """Predict the probability that a clip has each word; the arguments are those of a call.

        Returns:
            A Series or a DataFrame as from a call. Two words that are certainly there both have a probability near 1.

        Raises:
            DataError, RunError: as for `word_sets`.
        """
        prediction, index, alone = self.predict(waveform, sample_rate, sets=True)
        assert prediction.sets
        presence = pd.DataFrame(prediction.sets.presence, index, self.class_names)
        return presence.iloc[0].rename("presence") if alone else presence

    def word_sets(self, waveform: AudioInput | AudioInputs, sample_rate: int | None = None) -> pd.Series | pd.DataFrame:
        """Predict which set of words a clip contains; the arguments are those of a call.

        Returns:
            A Series, or a DataFrame with one row per clip: `words`, the most likely set, a list that may be empty, the
            most probable word first; `probability`, that of this set; and if the number of words varies, `num_words_0`,
            `num_words_1`, ..., the probability of each number.

        Raises:
            DataError: as for a call.
            RunError: a member was not trained with model.output=set, or on other numbers of words than another one.
        """
        prediction, index, alone = self.predict(waveform, sample_rate, sets=True)
        assert prediction.sets
        columns = {"words": prediction.likely_words(self.class_names), "probability": prediction.sets.probs}
        sets = pd.DataFrame(columns | prediction.num_words, index)
        return sets.iloc[0] if alone else sets

    def timeline(self, waveform: AudioInput, sample_rate: int | None = None, hop: float = 0.25) -> pd.DataFrame:
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
        return pd.concat(self.stream(waveform, sample_rate, hop))

    def stream(self, waveform: AudioInput, sample_rate: int | None = None, hop: float = 0.25) -> Iterator[pd.DataFrame]:
        """Yield the rows of `timeline` in batches. Recordings are read block by block and may have any length."""
        if not isinstance(hop, int | float | np.floating) or not 0.01 <= hop <= 1:
            raise DataError(f"hop is {hop!r}; give 0.01 to 1 seconds, for example hop=0.25")
        blocks = as_blocks(waveform, sample_rate)
        for starts, ends, (probs, sets) in predict_windows(self.predictor, blocks, round(hop * SAMPLE_RATE)):
            index = pd.MultiIndex.from_arrays([starts, ends], names=["start_s", "end_s"])
            yield pd.DataFrame(probs * sets.any_word[:, None] if sets else probs, index, self.class_names)

    def events(
        self, waveform: AudioInput, sample_rate: int | None = None, threshold: float | None = None
    ) -> pd.DataFrame:
        """Find which word was spoken when; the arguments are those of `timeline`, without a hop.

        Recordings are read block by block and may have any length. Windows also start before the recording and end
        after it, padded with silence, so that its first and last words are found.

        Args:
            threshold: replaces the thresholds of the network's `EventRule`, 0 to 1.

        Returns:
            One row per event: `start_s`, `end_s`, between which the word lies, `word`, `probability`. May be empty.

        Raises:
            DataError: audio that cannot be used, or a batch.
            RunError: not a model that predicts sets of words, none of the words among them; or an invalid threshold.
        """
        parts = [events for events, _ in self.stream_events(waveform, sample_rate, threshold)]
        return pd.concat(parts, ignore_index=True)

    def stream_events(
        self, waveform: AudioInput, sample_rate: int | None = None, threshold: float | None = None
    ) -> Iterator[tuple[pd.DataFrame, pd.DataFrame]]:
        """Yield the rows of `events` in batches, each with the presence of all words in its windows, as `timeline`."""
        blocks = as_blocks(waveform, sample_rate)
        for starts, ends, presence, events in detect(self.predictor, blocks, self.rule(threshold)):
            index = pd.MultiIndex.from_arrays([starts, ends], names=["start_s", "end_s"])
            windows = pd.DataFrame(presence, index, self.class_names)
            yield pd.DataFrame(events, columns=Event._fields).astype(Event.__annotations__), windows

    def listen(
        self, blocks: Iterable[np.ndarray], sample_rate: int | None = None, threshold: float | None = None
    ) -> Iterator[Event]:
        """Yield the events of a stream as soon as they are certain, at most half a second after the word.

        The events are those of `events` for the same audio, whatever the sizes of the blocks. Memory is constant.

        Args:
            blocks: consecutive blocks `(T,)` of one waveform, as floats (full scale is 1), int16 or int32.
            sample_rate: of the blocks, in Hz; by default that of the model.
            threshold: as for `events`.

        Raises:
            DataError, RunError: as for `events`.
        """
        rate = SAMPLE_RATE if sample_rate is None else as_rate(sample_rate)
        waveforms = resample_blocks(as_mono_blocks(blocks), rate)
        found = detect(self.predictor, waveforms, self.rule(threshold))
        return (event for heard in found for event in heard.events)

    def rule(self, threshold: float | None = None) -> EventRule:
        """The network's rule, with another threshold if one is given; raises RunError as for `events`."""
        if not self.predictor.has_events:
            raise RunError(
                "events need members that predict sets of words and know silence; train them with model.output=set "
                "data.k=[0,4]"
            )
        return self.predictor.rule.with_threshold(threshold)

    def predict(
        self, waveform: AudioInput | AudioInputs, sample_rate: int | None = None, sets: bool = False
    ) -> tuple[Prediction, list[str] | None, bool]:
        """The prediction, the index of its rows, and whether it is for one clip; see `as_chunks`.

        Raises:
            DataError: as for a call; RunError: `sets` are wanted, which the model does not predict.
        """
        if sets and self.predictor.k is None:
            raise RunError(
                "only members that were all trained with model.output=set, on equal numbers of words, predict sets of "
                "words; call the model itself for the probability of each word"
            )
        chunks, index, alone = as_chunks(waveform, sample_rate, BATCH_SIZE)
        return self.predictor.predict_chunks(chunks), index, alone
