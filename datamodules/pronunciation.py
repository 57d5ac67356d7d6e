"""Check that eSpeak NG can speak words and tells them apart, by the phonemes that it gives for them."""

import logging
import re
import unicodedata
from collections.abc import Mapping, Sequence
from itertools import combinations

from datamodules.audio_files import check_words
from datamodules.voices import Engine, transcribe
from overlapped_words.errors import DataError
from overlapped_words.messages import first_names, printable

log = logging.getLogger(__name__)

FOLDER_NAME = re.compile(r"(?![\s._])[^/\\]+(?<!\s)")
# In the engine's output, `(en)` switches to the language en, `_` begins a pause, and the others mark stress.
SWITCH = re.compile(r"\(([\w-]+)\)")
STRESS = "',%="
# Scripts whose letters are sounds. Where they are syllables or words, letters and text are pronounced alike.
ALPHABETS = {"LATIN", "GREEK", "CYRILLIC", "ARMENIAN", "GEORGIAN", "HEBREW", "ARABIC"}
MAX_SYLLABLE = 5  # phonemes; a letter that the engine does not know has more: "Chinese letter"


def clean_words(words: Sequence[str]) -> list[str]:
    """Words -> composed Unicode, sorted; each is a folder name and the name of a class.

    Raises:
        DataError: a word occurs twice or is not the name of a folder.
    """
    words = [unicodedata.normalize("NFC", word) for word in words]
    for word in words:
        if not FOLDER_NAME.fullmatch(word) or not word.isprintable() or len(word.encode()) > 100:
            raise DataError(
                f"data.words: '{printable(word)}' is no folder name; give 1 to 100 bytes without slashes, control "
                "characters, spaces around them and . or _ at the start"
            )
    check_words(words, "data.words")
    if twice := sorted({word for word in words if words.count(word) > 1}):
        raise DataError(f"data.words contains {', '.join(twice)} more than once; leave out the duplicates")
    return sorted(words)


def check_pronunciation(engine: Engine, words: Sequence[str], accents: Sequence[str]) -> None:
    """Check that the engine can speak the words in all accents; warn of words that sound alike in some of them.

    Raises:
        DataError: with all words that are silent, spelled or spoken in another language, or that sound alike in most
            accents.
    """
    letters = sorted({letter for word in words for letter in word if letter.isalpha()})
    alike: dict[tuple[str, str], list[str]] = {}
    for accent in accents:
        lines = transcribe(engine, accent, [*words, *letters])
        phonemes = dict(zip([*words, *letters], lines, strict=True))
        problems = {word: _problem(word, phonemes) for word in words}
        if faults := [f"{word} is {problem}" for word, problem in problems.items() if problem]:
            raise DataError("\n".join(f"data.words: {fault} (eSpeak NG, {accent})" for fault in faults))
        for pair in combinations(words, 2):
            if _sound_alike(*(phonemes[word].split() for word in pair)):
                alike.setdefault(pair, []).append(accent)
    if mostly := [" and ".join(pair) for pair, where in alike.items() if 2 * len(where) > len(accents)]:
        raise DataError(f"data.words: {first_names(mostly)} have the same phonemes in eSpeak NG; keep one of them")
    for pair, where in alike.items():
        names = first_names(where)
        log.warning("%s sound alike in %d of %d accents: %s", " and ".join(pair), len(where), len(accents), names)


def _problem(word: str, phonemes: Mapping[str, str]) -> str:
    """Why the engine cannot pronounce a word, and what to do; empty if it can.

    Args:
        phonemes: those of the word and of each of its letters.
    """
    letters = [letter for letter in word if letter.isalpha()]
    # The engine also switches for loanwords that it knows; their letters are of its own language.
    foreign = [code for letter in letters for code in SWITCH.findall(phonemes[letter])[:1]]
    if foreign and (code := SWITCH.search(phonemes[word])):
        return f"spoken in another language ({code[1]}); set data.language to the language of the words"
    sounds = find_sounds(phonemes[word])
    if not sounds:
        return "silent; write it as it sounds, or leave it out"
    names = [sound for letter in letters for sound in find_sounds(phonemes[letter])]
    alphabetic = all(unicodedata.name(letter, "").split()[0] in ALPHABETS for letter in letters)
    most = len(letters) * (1 if alphabetic else MAX_SYLLABLE)  # phonemes of a word that is not spelled
    single = alphabetic and len(letters) == 1
    if sounds == names and len(names) > most and not single and not word.isupper():
        return (
            "spelled letter by letter; write it as it sounds, in capitals if it is an abbreviation, "
            "or set data.language to its language"
        )
    return ""


def find_sounds(phonemes: str) -> list[str]:
    """Phonemes without stress, pauses, switches of language and the glides between letters."""
    sounds = [phoneme.lstrip(STRESS).rstrip(";") for phoneme in phonemes.split()]
    return [sound for sound in sounds if sound and sound[0] not in "_("]


def _sound_alike(one: Sequence[str], other: Sequence[str]) -> bool:
    """Whether phonemes are the same. Stress counts if both words have it: Spanish papa, papá; but English two, to."""
    stressed = all(any(phoneme.startswith("'") for phoneme in phonemes) for phonemes in (one, other))
    sounds = [
        [sound if stressed else sound.lstrip(STRESS) for sound in word if sound[0] != "_"] for word in (one, other)
    ]
    return sounds[0] == sounds[1]
