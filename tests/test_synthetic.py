"""The synthetic corpus: every voice speaks every word, once, completely or not at all."""

import builtins
import errno
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile

from datamodules import corpus
from datamodules.corpus import speak_corpus
from overlapped_words.errors import CacheError, DataError

WORDS = ["no", "seven", "sheila"]


@pytest.fixture(autouse=True)
def few_words(monkeypatch):
    monkeypatch.setattr(corpus, "WORDS", WORDS)


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.wav")}


def speakers(folder: Path) -> set[str]:
    return {re.search(r"^([^_]+)_", path.name)[1] for path in folder.rglob("*.wav")}


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_every_voice_speaks_every_word(tmp_path):
    folder = speak_corpus(tmp_path, num_voices=4, takes=2)
    assert names(folder) == set(WORDS)
    voices = speakers(folder)
    assert len(voices) == 4
    assert set(content(folder)) == {f"{word}/{who}_{take}.wav" for word in WORDS for who in voices for take in range(2)}
    assert len(set(content(folder).values())) == 24  # no two recordings are the same


def test_recordings_are_words_in_the_middle_of_a_second(tmp_path):
    for path in speak_corpus(tmp_path, num_voices=4, takes=1).rglob("*.wav"):
        info = soundfile.info(path)
        assert (info.samplerate, info.channels, info.subtype) == (22_050, 1, "PCM_16")
        samples, _ = soundfile.read(path)
        assert len(samples) == 22_050
        loud = np.flatnonzero(np.abs(samples) > 0.1 * np.abs(samples).max())
        assert np.abs(samples).max() > 0.05
        assert loud[-1] - loud[0] > 2_205
        assert loud[0] > 2_205 and loud[-1] < 22_050 - 2_205  # room for the shift by 0.1 s when words are mixed


def test_same_seed_same_bytes_other_seed_other_bytes(tmp_path):
    first, again, other = (speak_corpus(tmp_path / part, 3, 1, seed) for part, seed in (("a", 5), ("b", 5), ("c", 6)))
    assert content(first) == content(again)
    assert first.name == again.name != other.name
    assert not set(content(first).values()) & set(content(other).values())


def test_larger_corpus_contains_the_smaller(tmp_path):
    small, large = content(speak_corpus(tmp_path, 2, 1)), content(speak_corpus(tmp_path, 4, 2))
    assert small.items() < large.items()


def test_second_call_builds_nothing(tmp_path, monkeypatch):
    folder = speak_corpus(tmp_path, 2, 1)
    monkeypatch.setattr(corpus, "speak", lambda *args: pytest.fail("built again"))
    assert speak_corpus(tmp_path, 2, 1) == folder
    with pytest.raises(pytest.fail.Exception, match="built again"):
        speak_corpus(tmp_path, 2, 2)


def test_silent_utterances_are_skipped(tmp_path, monkeypatch, caplog):
    original = corpus.speak

    def partly_silent(*args):
        waveforms = original(*args)
        return [np.zeros(0, np.int16), waveforms[1] // 1000, waveforms[2]]

    monkeypatch.setattr(corpus, "speak", partly_silent)
    folder = speak_corpus(tmp_path, 2, 1)
    assert {path.split("/")[0] for path in content(folder)} == {"sheila"}
    assert "skipped 4 silent utterances of 6" in caplog.text
    monkeypatch.setattr(corpus, "speak", lambda *args: [np.zeros(9_000, np.int16)] * 3)
    with pytest.raises(DataError, match="produced no audio for any of 3 voices"):
        speak_corpus(tmp_path, 3, 1)
    assert len([name for name in names(tmp_path) if not name.endswith(".lock")]) == 1


def test_the_error_of_a_missing_wheel_says_how_to_install_it(tmp_path, monkeypatch):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name == "espeakng_loader":
            raise ModuleNotFoundError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(DataError, match="pip install espeakng-loader"):
        speak_corpus(tmp_path, 2, 1)


def test_what_a_killed_process_left_is_removed(tmp_path):
    folder = speak_corpus(tmp_path, 2, 1)
    half = folder.rename(folder.with_suffix(".tmp"))
    (half / "no" / "stale_0.wav").touch()
    speak_corpus(tmp_path, 2, 1)
    assert names(tmp_path) == {folder.name, f"{folder.name}.lock"} and "stale" not in speakers(folder)


def test_a_full_disk_leaves_no_files(tmp_path, monkeypatch):
    def full(self, data):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(CacheError, match=f"{tmp_path}.*no space left on the disk; it needs .*B and"):
        speak_corpus(tmp_path, 2, 1)
    assert all(name.endswith(".lock") for name in names(tmp_path))
