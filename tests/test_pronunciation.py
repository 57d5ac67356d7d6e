"""Words that eSpeak NG cannot speak, or that it speaks alike, are errors; so are those that name no folder."""

import re

import pytest
from datamodules.pronunciation import check_pronunciation, clean_words

from datamodules import voices
from datamodules.corpus import WORDS
from overlapped_words.errors import DataError
from overlapped_words.messages import printable


def checked(language: str, *words: str) -> list[str]:
    engine, names = voices.find_engine(), clean_words(words)
    check_pronunciation(engine, names, voices.find_accents(engine, language))
    return names


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", WORDS),
        ("en", ("TV", "thank you", "rock'n'roll", "a", "b", "3")),
        ("de", ("Äpfel", "Straße", "Licht an", "Software")),  # it knows loanwords of English
        ("ko", ("사과", "바나나", "네", "예")),  # letters are syllables, so words are spoken as they are spelled
        ("es", ("papa", "papá", "oí")),  # stress tells words apart; names of vowels are their sounds
        ("zh", ("苹果", "你好")),
        ("hi", ("कमल", "नमस्ते")),
    ],
)
def test_words_of_a_language_can_be_spoken(language, words):
    assert checked(language, *words) == sorted(words)


@pytest.mark.parametrize(
    ("language", "word", "reason"),
    [
        ("en", "???", "is silent; write it as it sounds"),
        ("en", "xkcd", "is spelled letter by letter; .*in capitals if it is an abbreviation"),
        ("en", "яблоко", "is spelled letter by letter; .*set data.language"),
        ("en", "사과", r"is spoken in another language \(ko\); set data.language"),
        ("ko", "apple", r"is spoken in another language \(en\)"),
        ("ja", "猫", "is spoken in another language"),
    ],
)
def test_a_word_that_cannot_be_pronounced_is_named(language, word, reason):
    with pytest.raises(DataError, match=rf"^data\.words: {re.escape(word)} {reason}[^\n]*$"):
        checked(language, word)


@pytest.mark.parametrize(
    ("language", "words"), [("en", "to and two"), ("de", "Lehre and leere"), ("es", "si and sí"), ("ko", "낮 and 낯")]
)
def test_words_with_the_same_phonemes_are_named(language, words):
    with pytest.raises(DataError, match=rf"^data\.words: {words} have the same phonemes in eSpeak NG; keep one of"):
        checked(language, *words.split(" and "))


def test_words_that_sound_alike_in_some_accents_are_a_warning(caplog):
    assert checked("en", "off", "yes") and not caplog.text
    assert checked("es", "casa", "caza") == ["casa", "caza"]
    assert "casa and caza sound alike in 1 of 2 accents: roa/es-419" in caplog.text


def test_a_word_that_is_no_folder_name_or_given_twice_is_an_error():
    for word in ("", " yes", "_yes", "..", "yes/no", "yes\tno", "yes" * 40):
        with pytest.raises(DataError, match=rf"^data\.words: '{re.escape(printable(word))}' is no folder name; give"):
            clean_words(["no", word])
    with pytest.raises(DataError, match=r"^data\.words contains ä more than once"):
        clean_words(["\u00e4", "no", "a\u0308"])


def test_a_language_has_the_accents_of_its_code():
    engine = voices.find_engine()
    assert len(voices.find_accents(engine, "en")) == 9
    for language, accents in {
        "de": ["gmw/de"],
        "ko": ["ko"],
        "es": ["roa/es", "roa/es-419"],
        "EN-us": ["gmw/en-US", "gmw/en-US-nyc"],
        "zh": ["sit/cmn", "sit/cmn-Latn-pinyin"],  # and no Cantonese, which has the code zh too
    }.items():
        assert voices.find_accents(engine, language) == accents
    for language, choice in (("german", r"de \(German\), a"), ("deutsch", "a code that this command")):
        with pytest.raises(DataError, match=rf"^data\.language is {language}, .* choose {choice}.*voices$"):
            voices.find_accents(engine, language)
