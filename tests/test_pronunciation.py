"""Words that eSpeak NG cannot speak, or that it speaks alike, are errors; so are those that name no folder."""

import re

import pytest

from datamodules import voices
from datamodules.corpus import WORDS
from datamodules.pronunciation import check_pronunciation, clean_words
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
        ("ja", ("ねこ", "いぬ")),
        ("hi", ("कमल", "नमस्ते")),
        ("ru", ("яблоко", "да")),
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
        ("en", "日", "is spelled letter by letter; .*set data.language"),
        ("en", "사과", r"is spoken in another language \(ko\); set data.language"),
        ("de", "яблоко", r"is spoken in another language \(en\)"),
        ("ko", "apple", r"is spoken in another language \(en\)"),
        ("ja", "猫", "is spoken in another language"),
    ],
)
def test_a_word_that_cannot_be_pronounced_is_named(language, word, reason):
    with pytest.raises(DataError, match=rf"^data\.words: {re.escape(word)} {reason}[^\n]*$"):
        checked(language, word)


def test_all_words_that_cannot_be_pronounced_are_named_at_once():
    with pytest.raises(DataError) as error:
        checked("en", "xkcd", "yes", "bcd")
    assert [line.split()[1] for line in str(error.value).splitlines()] == ["bcd", "xkcd"]


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


@pytest.mark.parametrize("word", ["", " yes", "_yes", "..", "yes/no", "yes\tno", "yes" * 40, "id"])
def test_a_word_that_is_no_folder_name_is_an_error(word):
    with pytest.raises(DataError, match=rf"^data\.words: '{re.escape(printable(word))}' is no folder name; give"):
        clean_words(["no", word])


@pytest.mark.parametrize("words", [["yes", "no", "yes"], ["\u00e4", "a\u0308"]])
def test_a_word_given_twice_is_an_error(words):
    with pytest.raises(DataError, match=r"^data\.words contains (yes|ä) more than once"):
        clean_words(words)


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


@pytest.mark.parametrize(
    ("language", "choice"),
    [
        ("german", "de (German), a"),
        ("English", "en (English (Great Britain)), "),
        ("deutsch", "a code that this command"),
    ],
)
def test_the_error_of_an_unknown_language_knows_english_names(language, choice):
    with pytest.raises(DataError, match=rf"^data\.language is {language}, .* choose {re.escape(choice)}.*voices$"):
        voices.find_accents(voices.find_engine(), language)


def test_the_voices_of_the_thirty_words_stay_the_same():
    drawn = voices.draw_voices(voices.find_engine(), 3, seed=0)
    assert [voice.identifier for voice in drawn] == ["gmw/en-GB-x-gbclan+Reed", "gmw/en+Lee", "gmw/en-Shaw+Hugo"]
