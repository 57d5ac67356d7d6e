"""The embedded corpus: 30 English words spoken by many voices of eSpeak NG, written once as a word folder.

eSpeak NG is GPL-3.0-or-later. It is used as an installed tool, the wheel `espeakng-loader`; its code is not included.
"""

import importlib.metadata
import io
import json
import logging
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import soundfile
from filelock import FileLock

from datamodules import espeak
from datamodules.cache import cache_key, cannot_write
from datamodules.clips import Splits
from datamodules.progress import Progress
from datamodules.words import WordFolder
from errors import DataError

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
REMEDY = "reinstall espeakng-loader, or mix your own recordings (data=words)"


class Voice(NamedTuple):
    """speaker: the name in file names, without underscores; identifier: an accent and a variant of the engine."""

    speaker: str
    identifier: str


def speak_corpus(cache_dir: Path, num_voices: int, takes: int, seed: int = 0) -> Path:
    """Return the folder `cache_dir/synthetic-<key>` with `<word>/<speaker>_<take>.wav`; the first call builds it.

    Recordings are 16-bit mono at 22,050 Hz, one second long with the word in the middle. The pitch and rate of each one
    depend on its name and `seed` alone, so a larger corpus contains the smaller one of the same seed. If several
    processes call this, one builds and the others wait.

    Raises:
        DataError: espeakng-loader is missing or does not work, or has fewer voices.
        CacheError: the disk is full, or the folder is not writable.
    """
    library, data = _engine()
    voices = draw_voices(data, num_voices, seed)
    if takes < 1:
        raise DataError(f"data.takes is {takes}; use 1 or more")
    version = importlib.metadata.version("espeakng-loader")
    key = cache_key("synthetic", version, WORDS, voices, takes, seed, SAMPLE_RATE, PITCH, RATE)
    folder = cache_dir / f"synthetic-{key}"
    if folder.is_dir():
        return folder
    temporary = folder.with_suffix(".tmp")
    try:
        cache_dir.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_suffix(".lock")):
            if not folder.is_dir():  # another process may have built it while this one waited
                try:
                    shutil.rmtree(temporary, ignore_errors=True)  # left by a process that was killed
                    _write(temporary, library, data, voices, takes, seed)
                    os.replace(temporary, folder)
                finally:
                    shutil.rmtree(temporary, ignore_errors=True)
    except OSError as error:
        size = len(voices) * takes * len(WORDS) * 2 * SAMPLE_RATE  # bytes; one second each
        raise cannot_write(folder, size, error) from error
    return folder


def draw_voices(data: Path, num_voices: int, seed: int) -> list[Voice]:
    """Draw `num_voices` variants of the engine, each with one of its English accents.

    The first voices do not depend on `num_voices`.

    Raises:
        DataError: the engine has fewer voices.
    """
    # Take the names from the engine's folders: it silently ignores a variant that it does not have.
    accents = sorted(path.name for path in (data / "lang" / "gmw").glob("en*"))
    names = {path.name for path in (data / "voices" / "!v").iterdir()}
    # klatt2 is almost klatt: in two splits, both would have the same speaker. (m2 stays, because there is no m.)
    variants = sorted(name for name in names if (stem := name.rstrip("0123456789")) == name or stem not in names)
    if not 1 <= num_voices <= len(variants):
        raise DataError(f"data.num_voices is {num_voices}; choose 1 to {len(variants)}")
    voices = []
    for variant in np.random.default_rng(seed).permutation(variants)[:num_voices]:
        accent = np.random.default_rng([seed, *variant.encode()]).choice(accents)
        voices.append(Voice(re.sub(r"[\s_]+", "-", variant), f"gmw/{accent}+{variant}"))
    return voices


def _engine() -> tuple[Path, Path]:
    """Paths of the engine's library and of its data folder."""
    try:
        import espeakng_loader
    except ImportError as error:
        raise DataError(f"the synthetic corpus needs eSpeak NG: pip install espeakng-loader ({error})") from error
    return Path(espeakng_loader.get_library_path()), Path(espeakng_loader.get_data_path())


def _write(folder: Path, library: Path, data: Path, voices: Sequence[Voice], takes: int, seed: int) -> None:
    """Write the recordings of all voices to `folder`, several voices in parallel."""
    names = [(word, take) for word in WORDS for take in range(takes)]
    for word in WORDS:
        (folder / word).mkdir(parents=True)

    def write_voice(voice: Voice) -> int:
        """Write all recordings of a voice; return their number."""
        utterances = []
        for word, take in names:
            rng = np.random.default_rng([seed, *f"{word}/{voice.speaker}_{take}".encode()])
            pitch, rate = (int(rng.integers(*bounds, endpoint=True)) for bounds in (PITCH, RATE))
            utterances.append((word, pitch, rate))
        written = 0
        for (word, take), samples in zip(names, speak(library, data, voice.identifier, utterances), strict=True):
            if len(samples) >= MIN_SAMPLES and np.abs(samples.astype(np.int32)).max() >= MIN_PEAK:
                missing = max(0, SAMPLE_RATE - len(samples))
                clip = np.pad(samples, (missing // 2, missing - missing // 2))
                wav = io.BytesIO()  # write_bytes raises OSError on a full disk, soundfile does not
                soundfile.write(wav, clip, SAMPLE_RATE, format="WAV")
                (folder / word / f"{voice.speaker}_{take}.wav").write_bytes(wav.getvalue())
                written += 1
        return written

    written = 0
    with ThreadPoolExecutor(os.cpu_count()) as pool, Progress(len(voices), "speaking words", "voice") as progress:
        for number in pool.map(write_voice, voices):
            written += number
            progress.update()
    silent = len(voices) * len(names) - written
    if not written:
        raise DataError(f"eSpeak NG produced no audio for any of {len(voices)} voices; {REMEDY}")
    if silent:
        log.warning("skipped %d silent utterances of %d", silent, silent + written)


def speak(library: Path, data: Path, voice: str, utterances: Sequence[tuple[str, int, int]]) -> list[np.ndarray]:
    """(word, pitch, rate) of each utterance -> its waveform `(T,)` int16 at 22,050 Hz; T is 0 if it is silent.

    Raises:
        DataError: the engine does not start, does not have the voice, or fails.
    """
    result = subprocess.run(
        [sys.executable, "-I", "-S", espeak.__file__, library, voice],  # see there why it is a process
        input=json.dumps(utterances),
        cwd=data,
        capture_output=True,
        text=True,
    )
    if result.returncode:
        reason = (result.stderr.strip().splitlines() or [f"exit code {result.returncode}"])[-1]
        raise DataError(f"eSpeak NG failed for voice {voice} ({reason}); {REMEDY}")
    return [np.frombuffer(bytes.fromhex(line), np.int16) for line in result.stdout.splitlines()]


class Synthetic(WordFolder):
    """30 English words in `num_voices` voices of eSpeak NG, each spoken `takes` times; mixed as in `WordFolder`."""

    def __init__(self, num_voices: int, takes: int, **mixing: Any) -> None:
        super().__init__(root="", **mixing)
        self.num_voices, self.takes = num_voices, takes

    def load(self, cache_dir: Path, seed: int) -> Splits:
        self.root = speak_corpus(cache_dir, self.num_voices, self.takes)
        return super().load(cache_dir, seed)
