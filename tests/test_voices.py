"""Words that name no folder, and languages that eSpeak NG does not have, are errors."""

import re

import pytest

from datamodules import voices
from datamodules.corpus import clean_words
from overlapped_words.errors import DataError
from overlapped_words.messages import printable


@pytest.mark.parametrize("word", ["", " yes", "_yes", "..", "yes/no", "yes\tno", "yes" * 40])
def test_a_word_that_is_no_folder_name_is_an_error(word):
    with pytest.raises(DataError, match=rf"^data\.words: '{re.escape(printable(word))}' is no folder name; give"):
        clean_words(["no", word])


def test_a_word_given_twice_is_an_error():
    with pytest.raises(DataError, match=r"^data\.words is no, ä, ä; give each word once"):
        clean_words(["\u00e4", "no", "a\u0308"])


def test_a_language_has_the_accents_of_its_code():
    engine = voices.find_engine()
    assert len(voices.find_accents(engine, "en")) == 9
    for language, accents in {
        "de": ["gmw/de"],
        "ko": ["ko"],
        "es": ["roa/es", "roa/es-419"],
        "EN-us": ["gmw/en-US", "gmw/en-US-nyc"],
    }.items():
        assert voices.find_accents(engine, language) == accents


def test_an_unknown_language_is_an_error():
    with pytest.raises(DataError, match=r"^data\.language is german, .* choose a code that this command lists: python"):
        voices.find_accents(voices.find_engine(), "german")
