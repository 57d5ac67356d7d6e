"""Cut a long recording into overlapping windows, predict them, and find the events in them."""

import math
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from datamodules.recordings import fit_length, within_full_scale
from datamodules.waveforms import check_rate, resample, to_int16
from overlapped_words.inference.events import Event, EventDetector, EventRule
from overlapped_words.inference.prediction import Prediction
from overlapped_words.inference.predictor import BATCH_SIZE, Predictor

Window = tuple[int, int, np.ndarray]  # first sample, end, samples `(num_samples,)`
CONTEXT = 0.01  # seconds that the resampling filter extends at most


def cut_windows(blocks: Iterable[np.ndarray], num_samples: int, hop: int) -> Iterator[list[Window]]:
    """Blocks `(T,)` of one recording, in order -> after each block, the windows that it completes, and the last one.

    Windows start every `hop` samples, and an additional one ends with the recording. A recording shorter than
    `num_samples` gives one window, padded with zeros as in training. Keeps at most one block in memory.
    """
    buffer, offset = np.zeros(0, np.float32), 0  # samples that later windows may need, and the position of the first
    start = end = 0  # start of the next window, end of the previous one
    for block in blocks:
        buffer = np.concatenate([buffer, block])
        windows = []
        while start + num_samples <= offset + len(buffer):
            end = start + num_samples
            windows.append((start, end, buffer[start - offset : end - offset]))
            start += hop
        yield windows
        # Keep num_samples at least: the last window may reach back before `start`.
        used = max(0, min(start - offset, len(buffer) - num_samples))
        buffer, offset = buffer[used:], offset + used
    length = offset + len(buffer)
    if end == 0:
        yield [(0, length, fit_length(buffer, num_samples))]
    elif end < length:
        yield [(length - num_samples, length, buffer[-num_samples:])]


def resample_blocks(blocks: Iterable[np.ndarray], rate: int, sample_rate: int) -> Iterator[np.ndarray]:
    """Blocks `(T,)` of one waveform at `rate` Hz -> the same at `sample_rate` Hz, 10 to 20 ms later.

    They add up to what `resample` returns for the whole waveform. Raises what `check_rate` raises.
    """
    check_rate(rate, sample_rate)
    if rate == sample_rate:
        yield from blocks
        return
    divisor = math.gcd(rate, sample_rate)
    step, new_step = rate // divisor, sample_rate // divisor  # the samples of the shortest time that has whole numbers
    context = math.ceil(CONTEXT * rate / step)  # in steps
    buffer = np.zeros(context * step, np.float32)
    for block in blocks:
        buffer = np.concatenate([buffer, block])
        steps = len(buffer) // step - 2 * context
        if steps > 0:
            resampled = resample(buffer[: (steps + 2 * context) * step], rate, sample_rate)
            yield resampled[context * new_step : (context + steps) * new_step]
            buffer = buffer[steps * step :]
    yield resample(buffer, rate, sample_rate)[context * new_step :]


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
    """Find the events in blocks `(T,)` float32 of a waveform at the predictor's sample rate.

    It is padded with silence, so that its first and last words are in as many windows as all others: windows start
    before it and end after it, but each has some of it. The predictor predicts sets of words.
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
        assert prediction.sets
        presence = prediction.sets.presence
        starts, ends = starts - padding / rate, ends - padding / rate
        events = []
        for window in zip(starts.tolist(), ends.tolist(), presence, strict=True):
            for event in detector.push(*window):
                start_s, end_s = max(0.0, event.start_s), min(length / rate, event.end_s)
                events.append(event._replace(start_s=start_s, end_s=end_s))
        yield Heard(starts.clip(min=0), ends.clip(max=length / rate), presence, events)
