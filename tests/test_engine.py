"""The eSpeak NG engine: voices, utterances and its errors."""

import re
import time

import numpy as np
import pytest

from datamodules.voices import Engine, Voice, draw_voices, find_engine, speak
from overlapped_words.errors import DataError


@pytest.fixture
def engine():
    return find_engine()


def test_an_utterance_does_not_depend_on_earlier_ones_or_on_the_time(engine):
    one, two = ("seven", 50, 150), ("no", 40, 140)
    voices = ["gmw/en-US+m3", "gmw/en+f5"]  # f5 breathes: its noise comes from a random generator
    first = [sound for voice in voices for sound in speak(engine, Voice("", voice), [one, two])]
    time.sleep(1.01 - time.time() % 1)  # into the next second, with which the engine would seed it
    second = [sound for voice in voices for sound in speak(engine, Voice("", voice), [two, one])[::-1]]
    for sound, repeated in zip(first, second, strict=True):
        np.testing.assert_array_equal(sound, repeated)


def test_pitch_rate_and_voice_change_the_audio(engine):
    def spectrum(voice, pitch):
        (samples,) = speak(engine, Voice("", voice), [("no", pitch, 150)])
        return np.abs(np.fft.rfft(samples, 22_050))

    slow, fast = speak(engine, Voice("", "gmw/en+m3"), [("seven", 50, 120), ("seven", 50, 190)])
    assert len(slow) > 1.2 * len(fast)
    low, high, other = (spectrum(*options) for options in (("gmw/en+m3", 30), ("gmw/en+m3", 70), ("gmw/en+f2", 30)))
    assert low[60:400].argmax() != high[60:400].argmax()
    assert not np.array_equal(low, other)


def test_voices_are_variants_that_the_engine_has(engine):
    with pytest.raises(DataError, match=r"data\.num_voices is 999; choose 1 to \d+$") as error:
        draw_voices(engine, 999, seed=0)
    num_voices = int(re.search(r"1 to (\d+)", str(error.value))[1])
    voices = draw_voices(engine, num_voices, seed=0)
    assert len({voice.speaker for voice in voices}) == num_voices > 48
    for voice in voices:
        accent, variant = voice.identifier.split("+")
        assert (engine.data / "lang" / accent).is_file() and (engine.data / "voices" / "!v" / variant).is_file()
        assert re.fullmatch(r"[A-Za-z0-9-]+", voice.speaker)
    assert {"m1", "m2", "klatt"} < {voice.speaker for voice in voices}
    assert "klatt2" not in {voice.speaker for voice in voices}
    assert len({voice.identifier.split("+")[0] for voice in voices}) == 9
    assert draw_voices(engine, 5, seed=0) == voices[:5]
    assert {voice.speaker for voice in voices[:5]} != {voice.speaker for voice in draw_voices(engine, 5, seed=1)}


def test_an_engine_that_fails_is_an_error_with_the_reason(engine, tmp_path):
    voice = Voice("", "gmw/en")
    with pytest.raises(DataError, match=r"gmw/nosuch.*unknown voice.*data=words"):
        speak(engine, Voice("", "gmw/nosuch"), [("no", 50, 150)])
    with pytest.raises(DataError, match="the engine does not start"):
        speak(engine._replace(data=tmp_path), voice, [("no", 50, 150)])
    with pytest.raises(DataError, match="no_library"):
        speak(Engine(tmp_path / "no_library.so", engine.data), voice, [("no", 50, 150)])


def test_engine_reads_its_data_through_a_long_path(engine, tmp_path):
    link = tmp_path / ("long" * 30) / ("path" * 30)
    link.parent.mkdir()
    link.symlink_to(engine.data)
    (samples,) = speak(engine._replace(data=link), Voice("", "gmw/en+m3"), [("no", 50, 150)])
    assert len(samples) > 2_205
