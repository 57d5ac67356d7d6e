"""Cut a long recording into overlapping windows, predict them, and find the events in them."""

import math
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from datamodules.recordings import fit_length, within_full_scale
from datamodules.waveforms import NUM_SAMPLES, SAMPLE_RATE, check_rate, resample, to_int16
from overlapped_words.inference.events import Event, EventDetector, EventRule
from overlapped_words.inference.prediction import Prediction
from overlapped_words.inference.predictor import BATCH_SIZE, Predictor

Window = tuple[int, int, np.ndarray]  # first sample, end, samples `(NUM_SAMPLES,)`
CONTEXT = 0.01  # seconds that the resampling filter extends at most


def cut_windows(blocks: Iterable[np.ndarray], hop: int) -> Iterator[list[Window]]:
    """Blocks `(T,)` of one recording, in order -> after each block, the windows that it completes, and the last one.

    Windows start every `hop` samples, and an additional one ends with the recording. A recording shorter than a
    window gives one, padded with zeros as in training. Keeps at most one block in memory.
    """
    buffer, offset = np.zeros(0, np.float32), 0  # samples that later windows may need, and the position of the first
    start = end = 0  # start of the next window, end of the previous one
    for block in blocks:
        buffer = np.concatenate([buffer, block])
        windows = []
        while start + NUM_SAMPLES <= offset + len(buffer):
            end = start + NUM_SAMPLES
            windows.append((start, end, buffer[start - offset : end - offset]))
            start += hop
        yield windows
        # Keep one window at least: the last window may reach back before `start`.
        used = max(0, min(start - offset, len(buffer) - NUM_SAMPLES))
        buffer, offset = buffer[used:], offset + used
    length = offset + len(buffer)
    if end == 0:
        yield [(0, length, fit_length(buffer))]
    elif end < length:
        yield [(length - NUM_SAMPLES, length, buffer[-NUM_SAMPLES:])]


def resample_blocks(blocks: Iterable[np.ndarray], rate: int) -> Iterator[np.ndarray]:
    """Blocks `(T,)` of one waveform at `rate` Hz -> the same at SAMPLE_RATE, 10 to 20 ms later.

    They add up to what `resample` returns for the whole waveform. Raises what `check_rate` raises.
    """
    check_rate(rate)
    if rate == SAMPLE_RATE:
        yield from blocks
        return
    divisor = math.gcd(rate, SAMPLE_RATE)
    step, new_step = rate // divisor, SAMPLE_RATE // divisor  # the samples of the shortest time that has whole numbers
    context = math.ceil(CONTEXT * rate / step)  # in steps
    buffer = np.zeros(context * step, np.float32)
    for block in blocks:
        buffer = np.concatenate([buffer, block])
        steps = len(buffer) // step - 2 * context
        if steps > 0:
            resampled = resample(buffer[: (steps + 2 * context) * step], rate)
            yield resampled[context * new_step : (context + steps) * new_step]
            buffer = buffer[steps * step :]
    yield resample(buffer, rate)[context * new_step :]


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
    for windows in cut_windows(blocks, hop):
        for first in range(0, len(windows), BATCH_SIZE):
            starts, ends, samples = zip(*windows[first : first + BATCH_SIZE], strict=True)
            clips = np.stack([to_int16(within_full_scale(window)) for window in samples])
            yield np.array(starts) / SAMPLE_RATE, np.array(ends) / SAMPLE_RATE, predictor.predict_clips(clips)


def detect(predictor: Predictor, blocks: Iterable[np.ndarray], rule: EventRule) -> Iterator[Heard]:
    """Find the events in blocks `(T,)` float32 of a waveform at SAMPLE_RATE.

    It is padded with silence, so that its first and last words are in as many windows as all others: windows start
    before it and end after it, but each has some of it. The predictor predicts sets of words.
    """
    hop = round(rule.hop * SAMPLE_RATE)
    padding = (NUM_SAMPLES - 1) // hop * hop
    length = 0  # so far

    def padded() -> Iterator[np.ndarray]:
        nonlocal length
        yield np.zeros(padding, np.float32)
        for block in blocks:
            length += len(block)
            yield block
        last = (padding + length - 1) // hop * hop  # the start of the last window that has a sample
        yield np.zeros(last + NUM_SAMPLES - padding - length, np.float32)

    detector = EventDetector(rule, predictor.class_names)
    for starts, ends, prediction in predict_windows(predictor, padded(), hop):
        assert prediction.sets
        presence = prediction.sets.presence
        starts, ends = starts - padding / SAMPLE_RATE, ends - padding / SAMPLE_RATE
        events = []
        for window in zip(starts.tolist(), ends.tolist(), presence, strict=True):
            for event in detector.push(*window):
                start_s, end_s = max(0.0, event.start_s), min(length / SAMPLE_RATE, event.end_s)
                events.append(event._replace(start_s=start_s, end_s=end_s))
        yield Heard(starts.clip(min=0), ends.clip(max=length / SAMPLE_RATE), presence, events)
