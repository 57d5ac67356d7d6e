"""The eSpeak NG engine, and the corpus in which every voice speaks every word once."""

import re
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from datamodules import corpus, voices
from datamodules.corpus import speak_corpus
from datamodules.other_speech import find_phrases, find_sounds, speak_other
from datamodules.voices import draw_voices, speak, transcribe
from overlapped_words.errors import DataError

WORDS = ["no", "seven", "sheila"]


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.wav")}


def speakers(folder: Path) -> set[str]:
    return {re.search(r"^([^_]+)_", path.name)[1] for path in folder.rglob("*.wav")}


def test_every_voice_speaks_every_word_in_the_middle_of_a_second(tmp_path):
    folder = speak_corpus(tmp_path, WORDS, "en", num_voices=4, takes=2)
    names = speakers(folder)
    assert len(names) == 4
    assert set(content(folder)) == {f"{word}/{who}_{take}.wav" for word in WORDS for who in names for take in range(2)}
    assert len(set(content(folder).values())) == 24  # no two recordings are the same
    assert content(speak_corpus(tmp_path, WORDS, "en", 2, 1)).items() < content(folder).items()
    for path in folder.rglob("*.wav"):
        info = soundfile.info(path)
        assert (info.samplerate, info.channels, info.subtype) == (22_050, 1, "PCM_16")
        samples, _ = soundfile.read(path)
        assert len(samples) == 22_050
        loud = np.flatnonzero(np.abs(samples) > 0.1 * np.abs(samples).max())
        assert np.abs(samples).max() > 0.05
        assert loud[-1] - loud[0] > 2_205
        assert loud[0] > 2_205 and loud[-1] < 22_050 - 2_205  # room for the shift by 0.1 s when words are mixed
    again, other = (speak_corpus(tmp_path / str(seed), WORDS, "en", 4, 2, seed) for seed in (0, 6))
    assert content(again) == content(folder)
    assert again.name == folder.name != other.name
    assert not set(content(again).values()) & set(content(other).values())


def test_silent_utterances_are_skipped(tmp_path, monkeypatch, caplog):
    sound = np.full(9_000, 9_000, np.int16)
    monkeypatch.setattr(corpus, "speak", lambda *args: [sound[:0], sound // 1000, sound])
    folder = speak_corpus(tmp_path, WORDS, "en", 2, 1)
    assert {path.split("/")[0] for path in content(folder)} == {"sheila"}
    assert "skipped 4 silent utterances of 6" in caplog.text
    assert speak_corpus(tmp_path, WORDS, "en", 2, 1) == folder  # built once
    monkeypatch.setattr(corpus, "speak", lambda *args: [sound * 0] * 3)
    with pytest.raises(DataError, match="produced no audio for any of 3 voices"):
        speak_corpus(tmp_path, WORDS, "en", 3, 1)
    assert [path for path in tmp_path.iterdir() if path.suffix != ".lock"] == [folder]


def test_an_utterance_does_not_depend_on_earlier_ones_or_on_the_time():
    one, two = ("seven", 50, 150), ("no", 40, 140)
    both = ["gmw/en-US+m3", "gmw/en+f5"]  # f5 breathes: its noise comes from a random generator
    first = [sound for voice in both for sound in speak(voice, [one, two])]
    time.sleep(1.01 - time.time() % 1)  # into the next second, with which the engine would seed it
    second = [sound for voice in both for sound in speak(voice, [two, one])[::-1]]
    for sound, repeated in zip(first, second, strict=True):
        np.testing.assert_array_equal(sound, repeated)


def test_voices_are_variants_that_the_engine_has():
    with pytest.raises(DataError, match=r"data\.num_voices is 999; choose 1 to \d+$") as error:
        draw_voices(999)
    num_voices = int(re.search(r"1 to (\d+)", str(error.value))[1])
    drawn = draw_voices(num_voices)
    assert len(drawn) == num_voices > 48
    accents, variants = zip(*(voice.split("+") for voice in drawn.values()), strict=True)
    assert all((voices.DATA / "lang" / accent).is_file() for accent in accents) and len(set(accents)) == 9
    assert all((voices.DATA / "voices" / "!v" / variant).is_file() for variant in variants)
    assert all(re.fullmatch(r"[A-Za-z0-9-]+", speaker) for speaker in drawn)
    assert {"m1", "m2", "klatt"} < drawn.keys() and "klatt2" not in drawn
    assert list(draw_voices(3).items()) == list(drawn.items())[:3]
    first = {"Reed": "gmw/en-GB-x-gbclan+Reed", "Lee": "gmw/en+Lee", "Hugo": "gmw/en-Shaw+Hugo"}
    assert draw_voices(3) == first  # so that the corpus stays the same


def test_an_engine_that_fails_is_an_error_and_a_long_path_to_its_data_is_none(tmp_path, monkeypatch):
    with pytest.raises(DataError, match=r"gmw/nosuch.*unknown voice.*data=words"):
        speak("gmw/nosuch", [("no", 50, 150)])
    for name, value, fault in (
        ("DATA", tmp_path, "the engine does not start"),
        ("LIBRARY", str(tmp_path / "no_library.so"), "no_library"),
    ):
        with monkeypatch.context() as context, pytest.raises(DataError, match=fault):
            context.setattr(voices, name, value)
            speak("gmw/en", [("no", 50, 150)])
    link = tmp_path / ("long" * 30) / ("path" * 30)
    link.parent.mkdir()
    link.symlink_to(voices.DATA)
    monkeypatch.setattr(voices, "DATA", link)
    (samples,) = speak("gmw/en+m3", [("no", 50, 150)])
    assert len(samples) > 2_205


@pytest.mark.parametrize(
    ("accent", "words", "says"),
    [
        ("gmw/de", ["regenbogen", "birne"], "vulkan"),
        ("gmw/en", ["no", "rainbow"], "umbrella"),
        ("ko", ["사과", "바나나"], "7"),
    ],
)
def test_other_speech_says_much_but_none_of_the_words(accent, words, says):
    phrases = find_phrases(words, accent)

    def sounds(texts: list[str]) -> list[str]:
        return [" ".join(find_sounds(line)) for line in transcribe(accent, texts)]

    said, *unsaid, other = sounds([" ".join(phrases), *words, says])
    assert len(phrases) > 100 and other in said
    assert not any(word in phrase for phrase in sounds(phrases) for word in unsaid)


def test_all_voices_speak_other_words_and_it_is_an_error_if_there_are_none(tmp_path, monkeypatch):
    folder = speak_other(tmp_path, ["no", "on"], "en", 3)
    assert speakers(folder) == set(draw_voices(3)) and len(content(folder)) == 18
    seconds = [soundfile.info(path).duration for path in folder.iterdir()]
    assert min(seconds) >= 1 and sum(seconds) > 40
    assert speak_other(tmp_path, ["on", "no"], "en", 3) == folder != speak_other(tmp_path, ["no"], "en", 3)
    monkeypatch.setattr("datamodules.other_speech.transcribe", lambda accent, texts: ["'a b"] * len(texts))
    with pytest.raises(DataError, match=r"^data\.words: .* set data\.unknown to a folder of speech$"):
        find_phrases(["ab"], "roa/es")
