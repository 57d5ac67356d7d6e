"""Predict consecutive windows of a recording or a stream, and the events in them."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from datamodules.recordings import within_full_scale
from datamodules.waveforms import to_int16
from overlapped_words.inference.events import Event, EventDetector, EventRule
from overlapped_words.inference.prediction import Prediction
from overlapped_words.inference.predictor import BATCH_SIZE, Predictor
from overlapped_words.inference.windows import cut_windows


class Heard(NamedTuple):
    """Consecutive windows, and the events that they complete."""

    starts: np.ndarray  # `(B,)`, in seconds: the part of the recording that the window has
    ends: np.ndarray  # `(B,)`, in seconds
    presence: np.ndarray  # `(B, num_classes)`
    events: list[Event]


def predict_windows(
    predictor: Predictor, blocks: Iterable[np.ndarray], hop: int
) -> Iterator[tuple[np.ndarray, np.ndarray, Prediction]]:
    """Predict windows that start every `hop` samples as soon as the blocks `(T,)` complete them.

    Yields the starts and ends, in seconds, and the prediction of up to `BATCH_SIZE` windows.
    """
    for windows in cut_windows(blocks, predictor.num_samples, hop):
        for first in range(0, len(windows), BATCH_SIZE):
            starts, ends, samples = zip(*windows[first : first + BATCH_SIZE], strict=True)
            clips = np.stack([to_int16(within_full_scale(window)) for window in samples])
            rate = predictor.sample_rate
            yield np.array(starts) / rate, np.array(ends) / rate, predictor.predict_clips(clips)


def detect(predictor: Predictor, blocks: Iterable[np.ndarray], rule: EventRule) -> Iterator[Heard]:
    """Find the events in blocks `(T,)` of a waveform.

    It is padded with silence, so that its first and last words are in as many windows as all others: windows start
    before it and end after it, but each has some of it.

    Args:
        predictor: predicts sets of words.
        blocks: float32, at the predictor's sample rate.
    """
    rate, num_samples, hop = predictor.sample_rate, predictor.num_samples, round(rule.hop * predictor.sample_rate)
    padding = (num_samples - 1) // hop * hop
    length = 0  # so far

    def padded() -> Iterator[np.ndarray]:
        nonlocal length
        yield np.zeros(padding, np.float32)
        for block in blocks:
            length += len(block)
            yield block
        last = (padding + length - 1) // hop * hop  # the start of the last window that has a sample
        yield np.zeros(last + num_samples - padding - length, np.float32)

    detector = EventDetector(rule, predictor.class_names)
    for starts, ends, prediction in predict_windows(predictor, padded(), hop):
        assert prediction.presence is not None
        starts, ends = starts - padding / rate, ends - padding / rate
        events = []
        for window in zip(starts.tolist(), ends.tolist(), prediction.presence, strict=True):
            for event in detector.push(*window):
                start_s, end_s = max(0.0, event.start_s), min(length / rate, event.end_s)
                events.append(event._replace(start_s=start_s, end_s=end_s))
        yield Heard(starts.clip(min=0), ends.clip(max=length / rate), prediction.presence, events)
