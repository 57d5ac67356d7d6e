"""A corpus of words spoken by many voices of eSpeak NG, written once as a word folder."""

import importlib.metadata
import io
import logging
import os
import shutil
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import soundfile
from filelock import FileLock

from datamodules.cache import cache_key, cannot_write
from datamodules.progress import Progress
from datamodules.pronunciation import check_pronunciation, clean_words
from datamodules.voices import REMEDY, Voice, draw_voices, find_accents, find_engine, speak
from overlapped_words.errors import DataError
from overlapped_words.messages import first_names

log = logging.getLogger(__name__)

# The words of Google Speech Commands v0.01.
WORDS = [
    "bed", "bird", "cat", "dog", "down", "eight", "five", "four", "go", "happy",
    "house", "left", "marvin", "nine", "no", "off", "on", "one", "right", "seven",
    "sheila", "six", "stop", "three", "tree", "two", "up", "wow", "yes", "zero",
]  # fmt: skip
SAMPLE_RATE = 22_050  # Hz, the engine's output rate; reading the corpus resamples it
PITCH = (30, 70)  # in 0 .. 99; 50 is the voice's default
RATE = (120, 190)  # words per minute
MIN_SAMPLES, MIN_PEAK = 2_205, 655  # 0.1 s and 2 % of full scale: anything less counts as silent


def speak_corpus(
    cache_dir: Path,
    num_voices: int,
    takes: int,
    seed: int = 0,
    words: Sequence[str] | None = None,
    language: str = "en",
) -> Path:
    """Return the folder `cache_dir/synthetic-<key>` with `<word>/<speaker>_<take>.wav`; the first call builds it.

    Recordings are 16-bit mono at 22,050 Hz, at least one second long with the word in the middle. The pitch and rate of
    each one depend on its name and `seed` alone, so a larger corpus contains the smaller one of the same seed. If
    several processes call this, one builds and the others wait.

    Args:
        words: what to say; None: WORDS.
        language: its code, such as `de`; each voice has one of its accents.

    Raises:
        DataError: espeakng-loader is missing or does not work, has fewer voices, or cannot speak the words.
        CacheError: the disk is full, or the folder is not writable.
    """
    library, data = find_engine()
    words = clean_words(WORDS if words is None else words)
    voices = draw_voices(data, num_voices, seed, language)
    if takes < 1:
        raise DataError(f"data.takes is {takes}; use 1 or more")
    version = importlib.metadata.version("espeakng-loader")
    key = cache_key("synthetic", version, words, voices, takes, seed, SAMPLE_RATE, PITCH, RATE)
    folder = cache_dir / f"synthetic-{key}"
    if folder.is_dir():
        return folder
    check_pronunciation(library, data, words, find_accents(data, language))
    temporary = folder.with_suffix(".tmp")
    try:
        cache_dir.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_suffix(".lock")):
            if not folder.is_dir():  # another process may have built it while this one waited
                try:
                    shutil.rmtree(temporary, ignore_errors=True)  # left by a process that was killed
                    _write(temporary, library, data, words, voices, takes, seed)
                    os.replace(temporary, folder)
                finally:
                    shutil.rmtree(temporary, ignore_errors=True)
    except OSError as error:
        size = len(voices) * takes * len(words) * 2 * SAMPLE_RATE  # bytes; one second each
        raise cannot_write(folder, size, error) from error
    return folder


def _write(
    folder: Path,
    library: Path,
    data: Path,
    words: Sequence[str],
    voices: Sequence[Voice],
    takes: int,
    seed: int,
) -> None:
    """Write the recordings of all voices to `folder`, several voices in parallel."""
    names = [(word, take) for word in words for take in range(takes)]
    for word in words:
        (folder / word).mkdir(parents=True)

    def write_voice(voice: Voice) -> list[tuple[str, int]]:
        """Write all recordings of a voice; return the word and the number of samples of each."""
        utterances = []
        for word, take in names:
            rng = np.random.default_rng([seed, *f"{word}/{voice.speaker}_{take}".encode()])
            pitch, rate = (int(rng.integers(*bounds, endpoint=True)) for bounds in (PITCH, RATE))
            utterances.append((word, pitch, rate))
        written: list[tuple[str, int]] = []
        for (word, take), samples in zip(names, speak(library, data, voice.identifier, utterances), strict=True):
            if len(samples) >= MIN_SAMPLES and np.abs(samples.astype(np.int32)).max() >= MIN_PEAK:
                missing = max(0, SAMPLE_RATE - len(samples))
                clip = np.pad(samples, (missing // 2, missing - missing // 2))
                wav = io.BytesIO()  # write_bytes raises OSError on a full disk, soundfile does not
                soundfile.write(wav, clip, SAMPLE_RATE, format="WAV")
                (folder / word / f"{voice.speaker}_{take}.wav").write_bytes(wav.getvalue())
                written.append((word, len(samples)))
        return written

    written: list[tuple[str, int]] = []
    with ThreadPoolExecutor(os.cpu_count()) as pool, Progress(len(voices), "speaking words", "voice") as progress:
        for recordings in pool.map(write_voice, voices):
            written += recordings
            progress.update()
    silent = len(voices) * len(names) - len(written)
    if not written:
        raise DataError(f"eSpeak NG produced no audio for any of {len(voices)} voices; {REMEDY}")
    if silent:
        log.warning("skipped %d silent utterances of %d", silent, silent + len(written))
    too_long = Counter(word for word, num_samples in written if num_samples > SAMPLE_RATE)
    if long := [word for word, number in too_long.items() if 2 * number > len(voices) * takes]:
        log.warning("longer than one second, of which the loudest part is used: %s", first_names(long))
