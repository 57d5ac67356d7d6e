"""A corpus of words spoken by many voices of eSpeak NG, written once as a word folder."""

import importlib.metadata
import io
import logging
import os
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from datamodules.audio_files import check_words
from datamodules.cache import build_once, cache_key
from datamodules.progress import Progress
from datamodules.voices import REMEDY, SEED, draw_voices, speak
from overlapped_words.errors import DataError
from overlapped_words.messages import printable

log = logging.getLogger(__name__)

# The words of Google Speech Commands v0.01.
WORDS = [
    "bed", "bird", "cat", "dog", "down", "eight", "five", "four", "go", "happy",
    "house", "left", "marvin", "nine", "no", "off", "on", "one", "right", "seven",
    "sheila", "six", "stop", "three", "tree", "two", "up", "wow", "yes", "zero",
]  # fmt: skip
FOLDER_NAME = re.compile(r"(?![\s._@#$~])[^/\\]{1,60}(?<!\s)")
SAMPLE_RATE = 22_050  # Hz, the engine's output rate; reading the corpus resamples it
PITCH = (30, 70)  # in 0 .. 99; 50 is the voice's default
RATE = (120, 190)  # words per minute
MIN_SAMPLES, MIN_PEAK = 2_205, 655  # 0.1 s and 2 % of full scale: anything less counts as silent


def speak_corpus(
    cache_dir: Path, words: Sequence[str], language: str, num_voices: int, takes: int, seed: int = SEED
) -> Path:
    """Return the folder `cache_dir/synthetic-<key>` with `<word>/<speaker>_<take>.wav`; the first call builds it.

    Recordings are 16-bit mono at 22,050 Hz, at least one second long with the word in the middle. The pitch and rate of
    each one depend on its name and `seed` alone, so a larger corpus contains the smaller one of the same seed.

    Args:
        words: what to say, from `clean_words`.
        language: its code, such as `de`; each voice has one of its accents.

    Raises:
        DataError: espeakng-loader does not work or has fewer voices, or says nothing.
        CacheError: the disk is full, or the folder is not writable.
    """
    voices = draw_voices(num_voices, language, seed)

    def build(folder: Path) -> None:
        for word in words:
            (folder / word).mkdir(parents=True)
        names = [(word, take) for word in words for take in range(takes)]

        def texts(speaker: str) -> dict[str, str]:
            return {f"{word}/{speaker}_{take}": word for word, take in names}

        samples = np.array(write_utterances(folder, voices, texts, "speaking words", seed))
        if not samples.any():
            raise DataError(f"eSpeak NG produced no audio for any of {len(voices)} voices; {REMEDY}")
        if silent := int((samples == 0).sum()):
            log.warning("skipped %d silent utterances of %d", silent, samples.size)

    parts = [words, list(voices.items()), takes, seed, SAMPLE_RATE, PITCH, RATE]
    return cached_folder(cache_dir, "synthetic", parts, build)


def cached_folder(cache_dir: Path, kind: str, parts: Sequence[Any], build: Callable[[Path], None]) -> Path:
    """Return the folder `cache_dir/<kind>-<key>`, which `build` fills if it does not exist.

    The key is a hash of the `parts` that the content depends on, and of the engine's version.
    """
    key = cache_key(kind, importlib.metadata.version("espeakng-loader"), *parts)
    folder = cache_dir / f"{kind}-{key}"
    return build_once(folder, lambda: folder if folder.is_dir() else None, build)


def clean_words(words: Sequence[str]) -> list[str]:
    """Words in composed Unicode, sorted; each is a folder name and the name of a class.

    Raises:
        DataError: a word occurs twice or is not the name of a folder.
    """
    words = sorted(unicodedata.normalize("NFC", word) for word in words)
    for word in words:
        if not FOLDER_NAME.fullmatch(word) or not word.isprintable():
            raise DataError(
                f"data.words: '{printable(word)}' is no folder name; give 1 to 60 characters without slashes, spaces "
                "around them and one of ._@#$~ at the start"
            )
    check_words(words, "data.words")
    if len(set(words)) < len(words):
        raise DataError(f"data.words is {', '.join(words)}; give each word once")
    return words


def write_utterances(
    folder: Path,
    voices: Mapping[str, str],
    texts_of: Callable[[str], Mapping[str, str]],
    description: str,
    seed: int = SEED,
) -> list[list[int]]:
    """Let each voice speak its texts, several voices in parallel; return the number of samples of each recording.

    The `texts_of` a speaker are, by the name of each file without .wav, what it says.
    """

    def write_voice(speaker: str) -> list[int]:
        texts, utterances = texts_of(speaker), []
        for file, text in texts.items():
            rng = np.random.default_rng([seed, *file.encode()])  # so a larger corpus contains the smaller one
            pitch = int(rng.integers(*PITCH, endpoint=True))
            utterances.append((text, pitch, int(rng.integers(*RATE, endpoint=True))))
        waveforms = speak(voices[speaker], utterances)
        return [_write_clip(folder / f"{file}.wav", clip) for file, clip in zip(texts, waveforms, strict=True)]

    with ThreadPoolExecutor(os.cpu_count()) as pool, Progress(len(voices), description, "voice") as progress:
        lengths = []  # (voices, texts)
        for of_voice in pool.map(write_voice, voices):
            lengths.append(of_voice)
            progress.update()
    return lengths


def _write_clip(path: Path, samples: np.ndarray) -> int:
    """Write a recording of at least a second, unless it is silent; return its number of samples, 0 if silent."""
    if len(samples) < MIN_SAMPLES or np.abs(samples.astype(np.int32)).max() < MIN_PEAK:
        return 0
    missing = max(0, SAMPLE_RATE - len(samples))
    wav = io.BytesIO()  # write_bytes raises OSError on a full disk, soundfile does not
    soundfile.write(wav, np.pad(samples, (missing // 2, missing - missing // 2)), SAMPLE_RATE, format="WAV")
    path.write_bytes(wav.getvalue())
    return len(samples)
