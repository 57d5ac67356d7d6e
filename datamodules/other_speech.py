"""Speech without the words: voices of eSpeak NG say other things, for networks that have no recordings of speech.

There is no text in all of the engine's languages, but it says emojis by their names ("rainbow", "Regenbogen") in most
of them, numbers in all, the beginning of one word with the end of another, and letters of the words in any order.
"""

import re
from collections.abc import Sequence
from itertools import permutations
from pathlib import Path

import numpy as np

from datamodules.corpus import cached_folder, write_utterances
from datamodules.voices import SEED, draw_voices, find_accents, transcribe
from overlapped_words.errors import DataError

EMOJIS = [chr(code) for code in range(0x1F300, 0x1F650)]
SWITCH = re.compile(r"\([\w-]+\)")  # in the engine's phonemes: to the language whose code it is
MOST = 200  # numbers, and as many of each other kind of phrases
SENTENCES = 6  # by each voice; 25 minutes by 48 voices
PHRASES = (3, 9)  # in a sentence


def speak_other(cache_dir: Path, words: Sequence[str], language: str, num_voices: int) -> Path:
    """Return the folder `cache_dir/speech-<key>` with `<speaker>_<n>.wav`, speech in which no word occurs.

    The voices are those of `speak_corpus`. The first call builds the folder.

    Raises:
        DataError, CacheError: as `speak_corpus`; a DataError if there is nothing else to say.
    """
    voices = draw_voices(num_voices, language)

    def build(folder: Path) -> None:
        phrases = find_phrases(words, find_accents(language)[0])
        folder.mkdir(parents=True)

        def sentences(speaker: str) -> dict[str, str]:
            rng = np.random.default_rng([SEED, *speaker.encode()])
            numbers = rng.integers(*PHRASES, SENTENCES, endpoint=True)
            return {f"{speaker}_{i}": " ".join(rng.choice(phrases, number)) for i, number in enumerate(numbers)}

        write_utterances(folder, voices, sentences, "speaking other words")

    return cached_folder(cache_dir, "speech", [sorted(words), list(voices.items()), SEED], build)


def find_phrases(words: Sequence[str], accent: str) -> list[str]:
    """What the voices say: phrases that the accent pronounces in its language and that contain none of the words."""
    rng = np.random.default_rng(SEED)
    numbers = [str(number) for number in rng.integers(1, 1_000, size=MOST)]
    blends = [one[: (len(one) + 1) // 2] + other[len(other) // 2 :] for one, other in permutations(words, 2)]
    letters = ["".join(rng.choice(list("".join(words)), size)) for size in rng.integers(2, 6, size=MOST)]
    phrases = [*EMOJIS, *numbers, *rng.permutation(blends)[:MOST].tolist(), *map(str.strip, letters)]
    lines = transcribe(accent, [*words, *phrases])
    sounds = [" ".join(["", *find_sounds(line), ""]) for line in lines]
    spoken = zip(phrases, lines[len(words) :], sounds[len(words) :], strict=True)
    found = [
        phrase
        for phrase, line, sound in spoken
        if sound.strip() and not SWITCH.search(line) and not any(word in sound for word in sounds[: len(words)])
    ]
    if not found:
        raise DataError(
            "data.words: eSpeak NG says nothing without these sounds; set data.unknown to a folder of speech"
        )
    return found


def find_sounds(phonemes: str) -> list[str]:
    """Phonemes without stress, pauses, switches of language and the glides between letters."""
    sounds = [phoneme.lstrip("',%=").rstrip(";") for phoneme in phonemes.split()]
    return [sound for sound in sounds if sound and sound[0] not in "_("]
