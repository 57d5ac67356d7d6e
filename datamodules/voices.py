"""The voices of eSpeak NG: languages, their accents, and speech. `python -m datamodules.voices` lists the languages.

eSpeak NG is GPL-3.0-or-later. It is used as an installed tool, the wheel `espeakng-loader`; its code is not included.
"""

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import espeakng_loader
import numpy as np

from datamodules import espeak
from overlapped_words.errors import DataError

LIBRARY, DATA = espeakng_loader.get_library_path(), Path(espeakng_loader.get_data_path())
SEED = 0  # of the voices, and of what they say, how high and how fast
REMEDY = "reinstall espeakng-loader, or mix your own recordings (data=words)"
NAME = re.compile(r"^name\s+(.+)", re.MULTILINE)  # in the file of an accent, in English


def list_accents() -> list[Path]:
    """The files of all accents of all languages; the name of a file is the accent's code."""
    return sorted(path for path in (DATA / "lang").rglob("*") if path.is_file())


def find_accents(language: str) -> list[str]:
    """The identifiers of the accents of a language, such as `gmw/en-US`, sorted; the standard accent is the first.

    They are the files whose name is the language's code or begins with it: `en`, `en-US`.

    Raises:
        DataError: the engine does not have the language.
    """
    accents = [path for path in list_accents() if f"{path.name}-".lower().startswith(f"{language}-".lower())]
    if not accents:
        remedy = "choose a code that this command lists: python -m datamodules.voices"
        raise DataError(f"data.language is {language}, which eSpeak NG does not have; {remedy}")
    return sorted(path.relative_to(DATA / "lang").as_posix() for path in accents)


def draw_voices(num_voices: int, language: str = "en", seed: int = SEED) -> dict[str, str]:
    """Draw `num_voices` voices: the name of each in file names, without underscores -> an accent and a variant.

    The first voices do not depend on `num_voices`.

    Raises:
        DataError: the engine has fewer voices, or does not have the language.
    """
    # Take the names from the engine's folders: it silently ignores a variant that it does not have.
    accents = find_accents(language)
    names = {path.name for path in (DATA / "voices" / "!v").iterdir()}
    # klatt2 is almost klatt: in two splits, both would have the same speaker. (m2 stays, because there is no m.)
    variants = sorted(name for name in names if (stem := name.rstrip("0123456789")) == name or stem not in names)
    if not 1 <= num_voices <= len(variants):
        raise DataError(f"data.num_voices is {num_voices}; choose 1 to {len(variants)}")
    voices = {}
    for variant in np.random.default_rng(seed).permutation(variants)[:num_voices]:
        accent = np.random.default_rng([seed, *variant.encode()]).choice(accents)
        voices[re.sub(r"[\s_]+", "-", variant)] = f"{accent}+{variant}"
    return voices


def speak(voice: str, utterances: Sequence[tuple[str, int, int]]) -> list[np.ndarray]:
    """(word, pitch, rate) of each utterance -> its waveform `(T,)` int16 at 22,050 Hz; T is 0 if it is silent.

    Raises:
        DataError: the engine does not start, does not have the voice, or fails.
    """
    return [np.frombuffer(bytes.fromhex(line), np.int16) for line in _run(voice, "waveforms", utterances)]


def transcribe(accent: str, texts: Sequence[str]) -> list[str]:
    """Texts -> the engine's phonemes of each, separated by spaces, such as `s 'E v @ n`; see `other_speech`.

    Raises:
        DataError: as in `speak`.
    """
    return _run(accent, "phonemes", texts)


def _run(voice: str, output: str, inputs: Sequence[Any]) -> list[str]:
    """The lines that espeak.py prints, one for each input."""
    result = subprocess.run(
        [sys.executable, "-I", "-S", espeak.__file__, LIBRARY, voice, output],  # see there why it is a process
        input=json.dumps(inputs),
        cwd=DATA,
        capture_output=True,
        text=True,
    )
    if result.returncode:
        reason = (result.stderr.strip().splitlines() or [f"exit code {result.returncode}"])[-1]
        raise DataError(f"eSpeak NG failed for voice {voice} ({reason}); {REMEDY}")
    return result.stdout.splitlines()


if __name__ == "__main__":
    for path in sorted(list_accents(), key=lambda path: path.name):
        print(f"{path.name:20}{NAME.findall(path.read_text(encoding='utf-8'))[0]}")
