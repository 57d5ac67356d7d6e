"""The eSpeak NG engine, and the corpus in which every voice speaks every word once."""

import re
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from datamodules import corpus
from datamodules.corpus import speak_corpus
from datamodules.other_speech import find_phrases, find_sounds, speak_other
from datamodules.voices import Engine, draw_voices, find_engine, speak, transcribe
from overlapped_words.errors import DataError

WORDS = ["no", "seven", "sheila"]


@pytest.fixture(autouse=True)
def few_words(monkeypatch):
    monkeypatch.setattr(corpus, "WORDS", WORDS)


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.wav")}


def speakers(folder: Path) -> set[str]:
    return {re.search(r"^([^_]+)_", path.name)[1] for path in folder.rglob("*.wav")}


def test_every_voice_speaks_every_word_in_the_middle_of_a_second(tmp_path):
    folder = speak_corpus(tmp_path, num_voices=4, takes=2)
    voices = speakers(folder)
    assert len(voices) == 4
    assert set(content(folder)) == {f"{word}/{who}_{take}.wav" for word in WORDS for who in voices for take in range(2)}
    assert len(set(content(folder).values())) == 24  # no two recordings are the same
    assert content(speak_corpus(tmp_path, 2, 1)).items() < content(folder).items()
    for path in folder.rglob("*.wav"):
        info = soundfile.info(path)
        assert (info.samplerate, info.channels, info.subtype) == (22_050, 1, "PCM_16")
        samples, _ = soundfile.read(path)
        assert len(samples) == 22_050
        loud = np.flatnonzero(np.abs(samples) > 0.1 * np.abs(samples).max())
        assert np.abs(samples).max() > 0.05
        assert loud[-1] - loud[0] > 2_205
        assert loud[0] > 2_205 and loud[-1] < 22_050 - 2_205  # room for the shift by 0.1 s when words are mixed
    first, again, other = (speak_corpus(tmp_path / part, 3, 1, seed) for part, seed in (("a", 5), ("b", 5), ("c", 6)))
    assert content(first) == content(again)
    assert first.name == again.name != other.name
    assert not set(content(first).values()) & set(content(other).values())


def test_silent_utterances_are_skipped(tmp_path, monkeypatch, caplog):
    sound = np.full(9_000, 9_000, np.int16)
    monkeypatch.setattr(corpus, "speak", lambda *args: [sound[:0], sound // 1000, sound])
    folder = speak_corpus(tmp_path, 2, 1)
    assert {path.split("/")[0] for path in content(folder)} == {"sheila"}
    assert "skipped 4 silent utterances of 6" in caplog.text
    assert speak_corpus(tmp_path, 2, 1) == folder  # built once
    monkeypatch.setattr(corpus, "speak", lambda *args: [sound * 0] * 3)
    with pytest.raises(DataError, match="produced no audio for any of 3 voices"):
        speak_corpus(tmp_path, 3, 1)
    assert [path for path in tmp_path.iterdir() if path.suffix != ".lock"] == [folder]


@pytest.fixture
def engine():
    return find_engine()


def test_an_utterance_does_not_depend_on_earlier_ones_or_on_the_time(engine):
    one, two = ("seven", 50, 150), ("no", 40, 140)
    voices = ["gmw/en-US+m3", "gmw/en+f5"]  # f5 breathes: its noise comes from a random generator
    first = [sound for voice in voices for sound in speak(engine, voice, [one, two])]
    time.sleep(1.01 - time.time() % 1)  # into the next second, with which the engine would seed it
    second = [sound for voice in voices for sound in speak(engine, voice, [two, one])[::-1]]
    for sound, repeated in zip(first, second, strict=True):
        np.testing.assert_array_equal(sound, repeated)


def test_voices_are_variants_that_the_engine_has(engine):
    with pytest.raises(DataError, match=r"data\.num_voices is 999; choose 1 to \d+$") as error:
        draw_voices(engine, 999, seed=0)
    num_voices = int(re.search(r"1 to (\d+)", str(error.value))[1])
    voices = draw_voices(engine, num_voices, seed=0)
    assert len(voices) == num_voices > 48
    accents, variants = zip(*(voice.split("+") for voice in voices.values()), strict=True)
    assert all((engine.data / "lang" / accent).is_file() for accent in accents) and len(set(accents)) == 9
    assert all((engine.data / "voices" / "!v" / variant).is_file() for variant in variants)
    assert all(re.fullmatch(r"[A-Za-z0-9-]+", speaker) for speaker in voices)
    assert {"m1", "m2", "klatt"} < voices.keys() and "klatt2" not in voices
    assert list(draw_voices(engine, 3, seed=0).items()) == list(voices.items())[:3]
    first = {"Reed": "gmw/en-GB-x-gbclan+Reed", "Lee": "gmw/en+Lee", "Hugo": "gmw/en-Shaw+Hugo"}
    assert draw_voices(engine, 3, seed=0) == first  # so that the corpus stays the same


def test_an_engine_that_fails_is_an_error_and_a_long_path_to_its_data_is_none(engine, tmp_path):
    for broken, voice, fault in (
        (engine, "gmw/nosuch", r"gmw/nosuch.*unknown voice.*data=words"),
        (engine._replace(data=tmp_path), "gmw/en", "the engine does not start"),
        (Engine(tmp_path / "no_library.so", engine.data), "gmw/en", "no_library"),
    ):
        with pytest.raises(DataError, match=fault):
            speak(broken, voice, [("no", 50, 150)])
    link = tmp_path / ("long" * 30) / ("path" * 30)
    link.parent.mkdir()
    link.symlink_to(engine.data)
    (samples,) = speak(engine._replace(data=link), "gmw/en+m3", [("no", 50, 150)])
    assert len(samples) > 2_205


@pytest.mark.parametrize(
    ("accent", "words", "says"),
    [
        ("gmw/de", ["regenbogen", "birne"], "vulkan"),
        ("gmw/en", ["no", "rainbow"], "umbrella"),
        ("ko", ["사과", "바나나"], "7"),
    ],
)
def test_other_speech_says_much_but_none_of_the_words(engine, accent, words, says):
    phrases = find_phrases(engine, words, accent, seed=0)

    def sounds(texts: list[str]) -> list[str]:
        return [" ".join(find_sounds(line)) for line in transcribe(engine, accent, texts)]

    said, *unsaid, other = sounds([" ".join(phrases), *words, says])
    assert len(phrases) > 100 and other in said
    assert not any(word in phrase for phrase in sounds(phrases) for word in unsaid)


def test_all_voices_speak_other_words_and_it_is_an_error_if_there_are_none(tmp_path, engine, monkeypatch):
    folder = speak_other(tmp_path, 3, ["no", "on"], "en")
    assert speakers(folder) == set(draw_voices(find_engine(), 3, seed=0)) and len(content(folder)) == 18
    seconds = [soundfile.info(path).duration for path in folder.iterdir()]
    assert min(seconds) >= 1 and sum(seconds) > 40
    assert speak_other(tmp_path, 3, ["on", "no"], "en") == folder != speak_other(tmp_path, 3, ["no"], "en")
    monkeypatch.setattr("datamodules.other_speech.transcribe", lambda engine, accent, texts: ["'a b"] * len(texts))
    with pytest.raises(DataError, match=r"^data\.words: .* set data\.unknown to a folder of speech$"):
        find_phrases(engine, ["ab"], "roa/es", seed=0)
