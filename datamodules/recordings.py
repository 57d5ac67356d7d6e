"""Read recordings as mono waveforms at one sample rate, or raise DataError with the reason."""

import logging
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile

from datamodules.audio_files import diagnose
from datamodules.resampling import check_rate, resample
from datamodules.waveforms import NUM_SAMPLES, SAMPLE_RATE, to_int16
from overlapped_words.errors import DataError
from overlapped_words.messages import grouped, printable

log = logging.getLogger(__name__)


BLOCK = 60  # seconds decoded at a time
MAX_VALUES = 1 << 22  # mono samples decoded at a time (16 MB), twice as many over all channels
CANCELED = 0.01  # two channels have opposite phase if their mean has less than this share of the louder one's energy

# libsndfile reads what is left of a truncated file; only its log shows it: "data : 32000 (should be 21318)".
# The chunk is "data" in WAV, "SSND" in AIFF, "Data Size" in AU; W64 and RF64 log the size of the whole file.
TRUNCATED = re.compile(r"(?:data|SSND|Data Size|riff|Riff size)\s*:\s*(\d+) \(should be (\d+)\)")
# Programs that write a WAV to a pipe do not know its length; they write a size near 2^31 or 2^32. Nothing is missing.
UNKNOWN_SIZE = 0x7FFF0000
UNKNOWN_LENGTH = 2**62  # frames, in a FLAC written to a pipe

OPPOSITE = "%s: the two channels have opposite phase and cancel each other out; only the louder one is used"


def within_full_scale(waveform: np.ndarray) -> np.ndarray:
    """Scale a waveform `(T,)` that exceeds [-1, 1], as floating-point audio may; clipping would distort it."""
    return waveform / max(1.0, float(np.abs(waveform).max()))


def read_recording(path: Path, sample_rate: int = SAMPLE_RATE) -> np.ndarray:
    """Any file that libsndfile reads -> `(T,)` float32 in [-1, 1] at `sample_rate` Hz; channels are averaged.

    Raises:
        DataError: the file is not audio, is truncated or empty, or contains samples that are not finite.
    """
    return within_full_scale(np.concatenate(list(read_blocks(path, sample_rate))))


def read_blocks(path: Path, sample_rate: int = SAMPLE_RATE, seconds: int = BLOCK) -> Iterator[np.ndarray]:
    """Yield the samples of `read_recording` in blocks `(T,)` of up to `seconds`, so that memory stays constant.

    Blocks are not scaled to [-1, 1], because the level of later blocks is unknown. Raises what `read_recording` raises;
    for a truncated recording only after its last block.
    """
    before, done = np.zeros(0, np.float32), 0
    for (block, rate), (following, _) in pairwise(chain(_decode(path, sample_rate, seconds), [(before, 0)])):
        if not np.isfinite(block).all():
            first = done + int(np.flatnonzero(~np.isfinite(block))[0])
            raise DataError(f"{path}: sample {first} is not a finite number; export it again or remove it")
        # The resampling filter extends beyond the block, by less than a second: resample with a second of context.
        resampled = resample(np.concatenate([before, block, following[:rate]]), rate, sample_rate)
        start = len(before) // rate * sample_rate
        yield resampled[start : start + math.ceil(len(block) * sample_rate / rate)]
        before, done = block[-rate:], done + len(block)


def _decode(path: Path, sample_rate: int, seconds: int) -> Iterator[tuple[np.ndarray, int]]:
    """Yield mono blocks `(T,)` of whole seconds, each with the recording's sample rate.

    Raises:
        DataError: the file is not audio, is truncated or empty, or cannot be resampled to `sample_rate`.
    """
    done = 0
    try:
        with soundfile.SoundFile(path) as file:
            header_log, frames, rate = file.extra_info, file.frames, file.samplerate
            if frames >= UNKNOWN_LENGTH:  # libsndfile fails at the end of such a file
                raise ValueError("the header contains no length, as in a file written through a pipe")
            check_rate(rate, sample_rate)
            length, louder = max(1, min(seconds, MAX_VALUES // rate)) * rate, None
            while len(block := _read_block(file, length)):
                done += len(block)
                if louder is None and (louder := louder_channel(block)) is not None:
                    log.warning(OPPOSITE, printable(str(path)))
                yield block.mean(axis=1) if louder is None else block[:, louder], rate
    except DataError as error:  # from check_rate
        raise DataError(f"{path}: {error}") from error
    except (soundfile.LibsndfileError, OSError, TypeError, ValueError) as error:
        reason = str(getattr(error, "error_string", error))  # libsndfile's message without the path
        raise DataError(f"{path}: {diagnose(path, reason)}") from error
    sizes = TRUNCATED.search(header_log)
    if done < frames or (sizes and int(sizes[2]) < int(sizes[1]) < UNKNOWN_SIZE):
        raise DataError(f"{path}: truncated, shorter than its header says; copy it again or remove it")
    if done == 0:
        raise DataError(f"{path}: contains no samples; replace it or remove it")


def _read_block(file: soundfile.SoundFile, length: int) -> np.ndarray:
    """The next `length` frames, `(T, channels)`; more than two channels are averaged to `(T, 1)` to save memory."""
    if file.channels <= 2:
        return file.read(length, dtype="float32", always_2d=True)
    step = max(1, 2 * MAX_VALUES // file.channels)
    parts = [
        file.read(min(step, length - start), dtype="float32", always_2d=True).mean(axis=1, keepdims=True)
        for start in range(0, length, step)
    ]
    return np.concatenate(parts)


def louder_channel(channels: np.ndarray) -> int | None:
    """`(T, C)` -> index of the louder of two channels that cancel each other out, else None."""
    if channels.shape[1] != 2:
        return None
    energy = np.square(channels).sum(axis=0)
    mean_energy = np.square(channels.mean(axis=1)).sum()
    return int(energy.argmax()) if mean_energy < CANCELED * energy.max() else None


def mix_down(channels: np.ndarray, name: str) -> np.ndarray:
    """`(T, C)` -> mean `(T,)`, or the louder of two channels that cancel each other out, with a warning on `name`."""
    louder = louder_channel(channels)
    if louder is None:
        return channels.mean(axis=1)
    log.warning(OPPOSITE, name)
    return channels[:, louder]


class Header(NamedTuple):
    """What a recording's header says; it may be wrong."""

    seconds: float
    sample_rate: int


def read_header(path: Path) -> Header | None:
    """The header of a recording, or None if it cannot be read."""
    try:
        info = soundfile.info(path)
        return Header(info.duration, info.samplerate) if info.frames < UNKNOWN_LENGTH else None
    except (soundfile.LibsndfileError, OSError, TypeError, ValueError):
        return None


def fit_length(waveform: np.ndarray, num_samples: int = NUM_SAMPLES) -> np.ndarray:
    """`(T,)` -> `(num_samples,)`: pad a shorter clip with zeros on both sides, take the loudest window of a longer one.

    The loudest window has the most energy.
    """
    excess = len(waveform) - num_samples
    if excess <= 0:
        return np.pad(waveform, (-excess // 2, -(excess // 2)))
    energy = np.concatenate([[0.0], np.cumsum(np.square(waveform, dtype=np.float64))])
    start = int(np.argmax(energy[num_samples:] - energy[:-num_samples]))
    return waveform[start : start + num_samples]


def read_clips(
    paths: Sequence[Path],
    sample_rate: int,
    num_samples: int,
    chunk_size: int = 256,
    inspect: Callable[[Path, np.ndarray], None] | None = None,
    unreadable: dict[Path, str] | None = None,
) -> Iterator[np.ndarray]:
    """Recordings -> chunks `(chunk_size, num_samples)` int16, in order; threads decode, libsndfile releases the GIL.

    The threads decode the next chunk while the caller uses one.

    Args:
        inspect: called with each path and its clip `(num_samples,)` float32, in one of the threads.
        unreadable: filled with the reason for each recording that cannot be used; its clip is zeros.

    Raises:
        DataError: recordings cannot be used and `unreadable` is None; raised after reading all, names up to five.
    """
    errors = {} if unreadable is None else unreadable

    def read(path: Path) -> np.ndarray:
        try:
            clip = fit_length(read_recording(path, sample_rate), num_samples)
        except DataError as error:
            errors[path] = str(error)
            return np.zeros(num_samples, np.int16)
        if inspect:
            inspect(path, clip)
        return to_int16(clip)

    with grouped(log), ThreadPoolExecutor() as pool:
        chunks = (pool.map(read, paths[start : start + chunk_size]) for start in range(0, len(paths), chunk_size))
        for chunk, _ in pairwise(chain(chunks, [iter(())])):  # the next one is being read
            yield np.stack(list(chunk))
    if unreadable is None:
        check_all_read(errors, len(paths))


def check_all_read(errors: Mapping[Path, str], num_recordings: int) -> None:
    """Raise one DataError for all recordings that cannot be used, if any."""
    if errors:
        more = [f"... and {len(errors) - 5} more"] if len(errors) > 5 else []
        lines = [f"{len(errors)} of {num_recordings} recordings cannot be used:", *sorted(errors.values())[:5], *more]
        raise DataError("\n".join(lines))
