"""Read recordings as mono waveforms at SAMPLE_RATE, or raise DataError with the reason."""

import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, pairwise
from pathlib import Path

import numpy as np

from datamodules.decoding import decode, read_header
from datamodules.waveforms import NUM_SAMPLES, SAMPLE_RATE, resample, to_int16
from overlapped_words.errors import DataError
from overlapped_words.messages import grouped, printable

log = logging.getLogger(__name__)

BLOCK = 60  # seconds decoded at a time
CANCELED = 0.01  # two channels have opposite phase if their mean has less than this share of the louder one's energy
OPPOSITE = "%s: the two channels have opposite phase and cancel each other out; only the louder one is used"
NARROWBAND = "%s: narrowband audio, sampled below the model's rate; the model may be less accurate on it"
LOUDEST = "only the loudest second of %s is used; add hop=0.25 for a timeline of all of it"
LONG = 2  # seconds; a longer recording is not a single clip


def within_full_scale(waveform: np.ndarray) -> np.ndarray:
    """Scale a waveform `(T,)` that exceeds [-1, 1], as floating-point audio may; clipping would distort it."""
    return waveform / max(1.0, float(np.abs(waveform).max()))


def read_recording(path: Path) -> np.ndarray:
    """Any file that libsndfile or an installed ffmpeg reads -> `(T,)` float32 in [-1, 1] at SAMPLE_RATE.

    Channels are averaged.

    Raises:
        DataError: the file is not audio, is truncated or empty, or contains samples that are not finite.
    """
    return within_full_scale(np.concatenate(list(read_blocks(path))))


def read_blocks(path: Path, seconds: int = BLOCK) -> Iterator[np.ndarray]:
    """Yield the samples of `read_recording` in blocks `(T,)` of up to `seconds`, so that memory stays constant.

    Blocks are not scaled to [-1, 1], because the level of later blocks is unknown. Raises what `read_recording` raises;
    for a truncated recording only at its last block.
    """
    before = np.zeros(0, np.float32)
    for (block, rate), (following, _) in pairwise(chain(decode_mono(path, seconds), [(before, 0)])):
        # The resampling filter extends beyond the block, by less than a second: resample with a second of context.
        resampled = resample(np.concatenate([before, block, following[:rate]]), rate)
        start = len(before) // rate * SAMPLE_RATE
        yield resampled[start : start + math.ceil(len(block) * SAMPLE_RATE / rate)]
        before = block[-rate:]


def decode_mono(path: Path, seconds: int) -> Iterator[tuple[np.ndarray, int]]:
    """The blocks of `decode`, mixed down to `(T,)`; raises what `read_recording` raises."""
    louder, done = None, 0
    for channels, rate in decode(path, seconds):
        if louder is None:
            louder = _louder_channel(channels, printable(str(path)))
        block = channels.mean(axis=1) if louder is None else channels[:, louder]
        if not np.isfinite(block).all():
            first = done + int(np.isfinite(block).argmin())
            raise DataError(f"{path}: sample {first} is not a finite number; export it again or remove it")
        yield block, rate
        done += len(block)


def _louder_channel(channels: np.ndarray, name: str) -> int | None:
    """`(T, C)` -> index of the louder of two channels that cancel each other out, with a warning on `name`, or None."""
    energy, mean_energy = np.square(channels).sum(axis=0), np.square(channels.mean(axis=1)).sum()
    if channels.shape[1] != 2 or not mean_energy < CANCELED * energy.max():  # true for NaN
        return None
    log.warning(OPPOSITE, name)
    return int(energy.argmax())


def mix_down(channels: np.ndarray, name: str) -> np.ndarray:
    """`(T, C)` -> mean `(T,)`, or the louder of two channels that cancel each other out, with a warning on `name`."""
    louder = _louder_channel(channels, name)
    return channels.mean(axis=1) if louder is None else channels[:, louder]


def read_seconds(path: Path) -> float:
    """The length of a recording; decodes it if its header does not state the length. Raises what `read_blocks` does."""
    return read_header(path).seconds or sum(map(len, read_blocks(path))) / SAMPLE_RATE


def warn_if_narrowband(name: str, rate: int) -> None:
    """Warn if a recording at `rate` Hz, such as telephone audio, is sampled below SAMPLE_RATE."""
    if rate < SAMPLE_RATE:
        log.warning(NARROWBAND, printable(name))


def fit_length(waveform: np.ndarray) -> np.ndarray:
    """`(T,)` -> `(NUM_SAMPLES,)`: pad a shorter clip with zeros on both sides, take the loudest window of a longer one.

    The loudest window has the most energy.
    """
    excess = len(waveform) - NUM_SAMPLES
    if excess <= 0:
        return np.pad(waveform, (-excess // 2, -(excess // 2)))
    energy = np.concatenate([[0.0], np.cumsum(np.square(waveform, dtype=np.float64))])
    start = int(np.argmax(energy[NUM_SAMPLES:] - energy[:-NUM_SAMPLES]))
    return waveform[start : start + NUM_SAMPLES]


def read_clips(
    paths: Sequence[Path],
    chunk_size: int = 256,
    unreadable: dict[Path, str] | None = None,
    warn: bool = False,
) -> Iterator[np.ndarray]:
    """Recordings -> chunks `(chunk_size, NUM_SAMPLES)` int16, in order; threads decode, libsndfile releases the GIL.

    The threads decode the next chunk while the caller uses one.

    Args:
        unreadable: filled with the reason for each recording that cannot be used; its clip is zeros.
        warn: log which recordings are narrowband or too long for a single clip.

    Raises:
        DataError: recordings cannot be used and `unreadable` is None; raised after reading all, names up to five.
    """
    errors = {} if unreadable is None else unreadable

    def read(path: Path) -> np.ndarray:
        try:
            waveform = read_recording(path)
        except DataError as error:
            errors[path] = str(error)
            return np.zeros(NUM_SAMPLES, np.int16)
        if warn:
            warn_if_narrowband(str(path), read_header(path).sample_rate)
            if (seconds := len(waveform) / SAMPLE_RATE) > LONG:
                log.warning(LOUDEST, f"{seconds:,.0f} s ({printable(str(path))})")
        return to_int16(fit_length(waveform))

    with grouped(log), ThreadPoolExecutor() as pool:
        chunks = (pool.map(read, paths[start : start + chunk_size]) for start in range(0, len(paths), chunk_size))
        for chunk, _ in pairwise(chain(chunks, [iter(())])):  # the next one is being read
            yield np.stack(list(chunk))
    if unreadable is None:
        check_all_read(errors, len(paths))


def check_all_read(errors: Mapping[Path, str], num_recordings: int) -> None:
    """Raise one DataError for all recordings that cannot be used, if any."""
    if errors and num_recordings == 1:
        raise DataError(*errors.values())
    if errors:
        more = [f"... and {len(errors) - 5} more"] if len(errors) > 5 else []
        lines = [f"{len(errors)} of {num_recordings} recordings cannot be used:", *sorted(errors.values())[:5], *more]
        raise DataError("\n".join(lines))
