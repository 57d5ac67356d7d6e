"""The model behind the page: reads uploads within the limits, predicts, mixes words."""

import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch

from datamodules.features import MultiResolutionMel
from datamodules.mixing import mix
from datamodules.recordings import NARROWBAND, fit_length, read_blocks, read_header, within_full_scale
from datamodules.waveforms import SAMPLE_RATE, to_int16
from overlapped_words.errors import DataError
from overlapped_words.inference.events import Event
from overlapped_words.inference.listening import Heard, detect, predict_windows
from overlapped_words.inference.model import Model
from overlapped_words.inference.prediction import Prediction
from overlapped_words.messages import printable

MAX_DECODING = 20.0  # seconds that an upload may take to decode
BLOCK = 5  # seconds of audio decoded between two checks of the time


class Recording(NamedTuple):
    """An upload."""

    waveform: np.ndarray  # `(T,)` float32 in [-1, 1] at SAMPLE_RATE
    note: str  # for its user; may be empty


class AppModel:
    """A model with the limits of the page; paths are those of uploads.

    Args:
        model: the trained model.
        max_seconds: the longest recording.
        hop: seconds from one window of a timeline to the next, if the model has no rule of events.
    """

    def __init__(self, model: Model, max_seconds: float, hop: float) -> None:
        self.predictor, self.class_names = model.predictor, model.class_names
        self.max_seconds, self.hop = max_seconds, hop
        self.has_events = model.predictor.has_events

    def read(self, path: str) -> Recording:
        """Read an upload.

        Raises:
            DataError: it cannot be used, is too long or takes too long; names the file without the server's folder.
        """
        name, start = Path(path).name, time.monotonic()
        header = read_header(Path(path))
        blocks: list[np.ndarray] = []
        try:
            for block in read_blocks(Path(path), BLOCK):
                blocks.append(block)
                if sum(map(len, blocks)) > self.max_seconds * SAMPLE_RATE:
                    raise DataError(f"{name}: longer than {self.max_seconds:g} seconds; use a shorter part")
                if time.monotonic() - start > MAX_DECODING:
                    raise DataError(f"{name}: takes over {MAX_DECODING:g} seconds to decode; convert it to 16 kHz mono")
        except DataError as error:
            raise DataError(str(error).replace(path, name)) from error
        waveform = within_full_scale(np.concatenate(blocks))
        return Recording(waveform, NARROWBAND % printable(name) if header.sample_rate < SAMPLE_RATE else "")

    def predict(self, waveform: np.ndarray) -> Prediction:
        """Predict the loudest second of a waveform `(T,)` at SAMPLE_RATE."""
        return self.predictor.predict_clips(to_int16(fit_length(waveform))[None])

    def features(self, waveform: np.ndarray) -> tuple[torch.Tensor, MultiResolutionMel]:
        """The features of the loudest second `(C, F, T)`, and the front end that computes them."""
        front_end = self.predictor.front_ends[0]
        assert isinstance(front_end, MultiResolutionMel)
        clip = torch.from_numpy(fit_length(waveform))[None]
        return front_end(clip.to(next(front_end.buffers()).device))[0].cpu(), front_end

    def mix(self, paths: list[str]) -> Recording:
        """Mix uploads of two or more single words at equal loudness, `(NUM_SAMPLES,)`; raises what `read` raises."""
        if len(paths) < 2:
            raise DataError("record or upload at least two words")
        recordings = [self.read(path) for path in paths]
        words = np.stack([fit_length(recording.waveform) for recording in recordings])
        ones = torch.ones(1, len(paths))
        mixture = mix(torch.from_numpy(words)[None], gains=ones, offsets=0 * ones.long(), speeds=ones)[0].numpy()
        return Recording(mixture, "\n".join(recording.note for recording in recordings if recording.note))

    def listen(self, blocks: Iterable[np.ndarray]) -> Iterator[Heard]:
        """Find the events in blocks `(T,)` at SAMPLE_RATE; a model without a rule has only windows."""
        if self.has_events:
            yield from detect(self.predictor, blocks, self.predictor.rule)
            return
        for starts, ends, prediction in predict_windows(self.predictor, blocks, round(self.hop * SAMPLE_RATE)):
            yield Heard(starts, ends, prediction.shown, [])

    def timeline(self, waveform: np.ndarray) -> tuple[pd.DataFrame, pd.DataFrame]:
        """The windows of a waveform `(T,)`, as `Model.timeline`, and its events, as `Model.events`."""
        heard = list(self.listen([waveform]))
        starts, ends, probs = (np.concatenate(arrays) for arrays in list(zip(*heard, strict=True))[:3])
        index = pd.MultiIndex.from_arrays([starts, ends], names=["start_s", "end_s"])
        events = [event for own in heard for event in own.events]
        return pd.DataFrame(probs, index, self.class_names), pd.DataFrame(events, columns=Event._fields)
