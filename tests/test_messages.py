"""Counts, lists of names and printable text in messages."""

import logging

import pytest

from overlapped_words.messages import clock, count, first_names, grouped, printable


def test_lists_show_three_names():
    assert first_names([]) == "none" and first_names("ab") == "a, b"
    assert first_names("abcde") == "a, b, c and 2 more"


def test_counts_agree_with_their_noun():
    assert [count(number, "file") for number in (0, 1, 2, 1000)] == ["0 files", "1 file", "2 files", "1,000 files"]


def test_points_in_time_have_tenths_of_seconds():
    times = [clock(seconds) for seconds in (0, 7.24, 59.96, 754.5, 3599.94, 3727.2)]
    assert times == ["0:00.0", "0:07.2", "1:00.0", "12:34.5", "59:59.9", "1:02:07.2"]


@pytest.mark.parametrize("text", ["naïve 말소리 #1", "می\u200cخواهم", "क्\u200dष", "👋 <b> $x$ %s \\n"])
def test_words_are_not_changed(text):
    assert printable(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2Jgone\r", r"\x1b[2Jgone\r"),
        ("a\nb\tc", r"a\nb\tc"),
        ("\x9b31m\x07\x7f", r"\x9b31m\x07\x7f"),
        ("exe\u202egpj.wav", r"exe\u202egpj.wav"),
        ("caf\udce9", r"caf\udce9"),  # a file name that is not UTF-8
    ],
)
def test_control_characters_are_escaped(text, shown):
    assert printable(text) == shown


def test_warnings_of_one_name_are_grouped_and_others_pass(caplog):
    log = logging.getLogger("datamodules")
    with grouped(log):
        for name in "cab":
            log.warning("%s: too quiet", name)
        log.warning("%s: cut at %d samples", "d", 5)
        log.warning("done")
    assert caplog.messages == ["d: cut at 5 samples", "done", "a, b, c: too quiet"]
