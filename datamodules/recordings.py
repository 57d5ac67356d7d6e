"""Reading any recording as mono at one sample rate, or saying why it cannot be used."""

import math
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from itertools import chain, pairwise
from pathlib import Path

import numpy as np
import soundfile
import torch
from torchaudio.transforms import Resample

from datamodules.cache import cache_key, cached_array
from errors import DataError

SAMPLE_RATE = 16_000
NUM_SAMPLES = 16_000  # one second
BLOCK = 60  # seconds that are read at a time

EXTENSIONS = {f".{name.lower()}" for name in soundfile.available_formats()} | {".aif", ".aifc", ".oga", ".opus"}
EXTENSIONS -= {".raw"}  # samples without a header: nobody knows their rate

RATES = range(1_000, 768_001)  # Hz, of recordings
# Of the filter between two rates: 80 thousand from 44100 Hz to 16 kHz, but 700 million (3 GB) from 44101 Hz.
MAX_TAPS = 1 << 26

# libsndfile reads what is left of a file that was cut short, only its log tells: "data : 32000 (should be 21318)".
# So WAV calls its samples, AIFF SSND, AU "Data Size"; W64 and RF64 log the size of the whole file.
TRUNCATED = re.compile(r"(?:data|SSND|Data Size|riff|Riff size)\s*:\s*(\d+) \(should be (\d+)\)")
# A size near 2^31 or 2^32 is what a program writes that pipes a WAV and cannot know its length: nothing is missing.
UNKNOWN_SIZE = 0x7FFF0000


def existing_folder(folder: Path, remedy: str) -> Path:
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; {remedy}")
    return folder


def list_recordings(folder: Path) -> list[Path]:
    """The recordings directly in `folder` (upper-case extensions too), sorted by name; hidden files are passed over."""
    return sorted(
        path for path in folder.iterdir() if path.suffix.lower() in EXTENSIONS and not path.name.startswith(".")
    )


@lru_cache(maxsize=8)
def _resampler(orig_freq: int, new_freq: int) -> Resample:
    return Resample(orig_freq, new_freq)


def check_rate(rate: int, sample_rate: int) -> None:
    """Whether sound at `rate` Hz can be brought to `sample_rate` Hz.

    Raises:
        DataError: it cannot.
    """
    if rate not in RATES or rate * sample_rate // math.gcd(rate, sample_rate) ** 2 > MAX_TAPS:
        raise DataError(f"{rate} samples a second cannot be brought to {sample_rate}; convert to a usual rate first")


def resample(waveform: np.ndarray, rate: int, sample_rate: int) -> np.ndarray:
    """`(..., T)` float32 at `rate` Hz -> the same at `sample_rate` Hz; raises what `check_rate` raises."""
    check_rate(rate, sample_rate)
    if rate == sample_rate:
        return waveform
    return _resampler(rate, sample_rate)(torch.from_numpy(waveform)).numpy()


def within_full_scale(waveform: np.ndarray) -> np.ndarray:
    """`(T,)`, turned down where it exceeds [-1, 1], as floating-point sound may; clipping would change its shape."""
    return waveform / max(1.0, float(np.abs(waveform).max()))


def read_recording(path: Path, sample_rate: int = 16_000) -> np.ndarray:
    """Whatever libsndfile reads -> `(T,)` float32 in [-1, 1] at `sample_rate` Hz; channels are averaged.

    Raises:
        DataError: not audio, cut short, empty, or with samples that are no numbers.
    """
    return within_full_scale(np.concatenate(list(read_blocks(path, sample_rate))))


def read_blocks(path: Path, sample_rate: int = 16_000) -> Iterator[np.ndarray]:
    """The samples of `read_recording`, in order, a minute `(T,)` at a time, so that an hour needs no more memory.

    Their level stays: no block knows how loud the next one is. Raises what `read_recording` raises, a recording that
    was cut short after its last block.
    """
    before, done = np.zeros(0, np.float32), 0
    for (block, rate), (following, _) in pairwise(chain(_decode(path, sample_rate), [(before, 0)])):
        if not np.isfinite(block).all():
            first = done + int(np.flatnonzero(~np.isfinite(block))[0])
            raise DataError(f"{path}: sample {first} is not a finite number; export it again or remove it")
        # The resampling filter reaches over the ends of a block, though never by a second.
        resampled = resample(np.concatenate([before, block, following[:rate]]), rate, sample_rate)
        start = len(before) // rate * sample_rate
        yield resampled[start : start + math.ceil(len(block) * sample_rate / rate)]
        before, done = block[-rate:], done + len(block)


def _decode(path: Path, sample_rate: int) -> Iterator[tuple[np.ndarray, int]]:
    """Blocks of a recording, mono, and the rate that it has; one that cannot be brought to `sample_rate` is refused."""
    done = 0
    try:
        with soundfile.SoundFile(path) as file:
            log, frames, rate = file.extra_info, file.frames, file.samplerate
            if frames > 2**62:  # a FLAC out of a pipe; libsndfile fails at its end
                raise ValueError("its header does not tell its length, as in a file written through a pipe")
            check_rate(rate, sample_rate)
            while len(block := file.read(BLOCK * rate, dtype="float32", always_2d=True)):
                done += len(block)
                yield block.mean(axis=1), rate
    except (soundfile.LibsndfileError, OSError, TypeError, ValueError) as error:
        reason = getattr(error, "error_string", error)  # libsndfile's own words, without the path again
        raise DataError(f"{path}: cannot be read as audio ({reason}); replace it or remove it") from error
    cut = TRUNCATED.search(log)
    if done < frames or (cut and int(cut[2]) < int(cut[1]) < UNKNOWN_SIZE):
        raise DataError(f"{path}: cut short, its header promises more than it holds; copy it again or remove it")
    if done == 0:
        raise DataError(f"{path}: empty, not one sample; replace it or remove it")


def duration(path: Path) -> float | None:
    """Seconds, as the header of a recording tells them; None where it cannot be read."""
    try:
        return soundfile.info(path).duration
    except (soundfile.LibsndfileError, OSError, TypeError, ValueError):
        return None


def fit_length(waveform: np.ndarray, num_samples: int = 16_000) -> np.ndarray:
    """`(T,)` -> `(num_samples,)`: zeros around a shorter clip, the loudest stretch (most energy) of a longer one."""
    excess = len(waveform) - num_samples
    if excess <= 0:
        return np.pad(waveform, (-excess // 2, -(excess // 2)))
    energy = np.concatenate([[0.0], np.cumsum(np.square(waveform, dtype=np.float64))])
    start = int(np.argmax(energy[num_samples:] - energy[:-num_samples]))
    return waveform[start : start + num_samples]


def to_int16(waveform: np.ndarray) -> np.ndarray:
    """float in [-1, 1] -> int16, the exact inverse of reading a 16-bit recording."""
    return np.clip(np.round(waveform * 32768), -32768, 32767).astype(np.int16)


def read_clips(
    paths: Sequence[Path], sample_rate: int, num_samples: int, chunk_size: int = 256
) -> Iterator[np.ndarray]:
    """Recordings -> chunks `(chunk_size, num_samples)` int16, in order; decoded by threads (libsndfile frees the GIL).

    Raises:
        DataError: after reading all of them, naming up to five that cannot be used and saying how many there are.
    """
    errors: list[str] = []

    def read(path: Path) -> np.ndarray:
        try:
            return to_int16(fit_length(read_recording(path, sample_rate), num_samples))
        except DataError as error:
            errors.append(str(error))
            return np.zeros(num_samples, np.int16)

    with ThreadPoolExecutor() as pool:
        for start in range(0, len(paths), chunk_size):
            yield np.stack(list(pool.map(read, paths[start : start + chunk_size])))
    refuse(errors, len(paths))


def refuse(errors: Sequence[str], num_recordings: int) -> None:
    """What was wrong with some of many recordings, as one DataError; nothing where nothing was."""
    if errors:
        more = [f"... and {len(errors) - 5} more"] if len(errors) > 5 else []
        lines = [f"{len(errors)} of {num_recordings} recordings cannot be used:", *sorted(errors)[:5], *more]
        raise DataError("\n".join(lines))


def cached_waveforms(paths: Sequence[Path], cache_dir: Path, description: str) -> tuple[np.ndarray, str]:
    """Recordings -> `(N, 16000)` int16 from the cache, and the key they have there."""
    try:
        key = cache_key("waveforms", SAMPLE_RATE, NUM_SAMPLES, list(paths))
    except FileNotFoundError as error:
        raise DataError(f"{error.filename}: a link to a file that is not there; fetch it or remove it") from error
    array = cached_array(
        cache_dir / f"waveforms-{key}.npy",
        (len(paths), NUM_SAMPLES),
        np.int16,
        lambda: read_clips(paths, SAMPLE_RATE, NUM_SAMPLES),
        description,
    )
    return array, key
