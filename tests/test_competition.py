"""A competition's folder gives clips with their own targets, in the order of its submission file."""

import unicodedata

import numpy as np
import pytest
import soundfile

from datamodules.clips import Clips
from datamodules.recordings import fit_length
from datamodules.sources import CompetitionFolder
from datamodules.waveforms import to_int16
from tests.helpers.fake_recordings import RATE, WORDS, cached_files, read_table, speech, tone, write_table


def waveforms(clips: Clips) -> dict[str, np.ndarray]:
    return dict(zip(clips.ids, clips.array[clips.rows], strict=True))


def test_targets_are_matched_to_recordings_by_id(competition, cache_dir):
    header, *rows = read_table(competition / "train_answer.csv")
    order = np.random.default_rng(3).permutation(len(rows))
    write_table(competition / "train_answer.csv", [header, *(rows[i] for i in order)])
    splits = CompetitionFolder(competition, val_fraction=0.25).load(cache_dir, 0)
    assert splits.class_names == list(WORDS) and splits.columns == ["id", *WORDS]
    targets = {clip_id: np.array(row, np.float32) for clip_id, *row in rows}
    loaded = {}
    for clips in (splits.train, splits.val):
        for clip_id, target in zip(clips.ids, clips.targets, strict=True):
            assert np.array_equal(target, targets[clip_id])
        loaded |= waveforms(clips)
    assert loaded.keys() == targets.keys()
    for clip_id, waveform in loaded.items():
        assert np.array_equal(waveform, to_int16(speech(int(clip_id[-3:]))))
    assert splits.train.array.dtype == np.int16


def test_test_clips_are_in_the_order_of_the_submission_file(competition, cache_dir):
    _, *rows = read_table(competition / "submission.csv")
    write_table(competition / "submission.csv", [["name", *reversed(WORDS)], *reversed(rows)])
    splits = CompetitionFolder(competition).load(cache_dir, 0)
    assert splits.columns == ["name", *reversed(WORDS)] and splits.class_names == list(WORDS)
    assert splits.test.ids == [row[0] for row in reversed(rows)] and splits.test.targets is None
    for clip_id, waveform in waveforms(splits.test).items():
        assert np.array_equal(waveform, to_int16(speech(1000 + int(clip_id[-3:]))))
    (competition / "submission.csv").unlink()
    splits = CompetitionFolder(competition).load(cache_dir, 0)
    assert splits.test is None and splits.columns == ["id", *WORDS]


def test_recordings_are_read_once(competition, cache_dir, monkeypatch):
    first = CompetitionFolder(competition).load(cache_dir, 0)
    names = cached_files(cache_dir)
    assert len(names) == 2  # training and test

    with monkeypatch.context() as patch:
        patch.setattr("datamodules.waveform_cache.read_clips", lambda *args: pytest.fail("reads again"))
        again = CompetitionFolder(competition, val_fraction=0.5).load(cache_dir, 1)
        assert np.array_equal(again.test.array, first.test.array)
    soundfile.write(competition / "train/train_003.wav", speech(99), RATE)
    changed = CompetitionFolder(competition, val_fraction=0).load(cache_dir, 0)
    assert np.array_equal(waveforms(changed.train)["train_003"], to_int16(speech(99)))
    assert len(cached_files(cache_dir)) == 3


def test_unusual_but_valid_folders(tmp_path, cache_dir):
    recordings = {  # id -> file, samples, rate
        "0007": ("0007.WAV", tone(440), RATE),
        "7": ("7.Aiff", speech(2), RATE),
        "two words": ("two words.wav", np.stack([tone(300), tone(500)], axis=1), RATE),
        # Decomposed syllables, as macOS writes file names; the table has them composed.
        "말소리": (f"{unicodedata.normalize('NFD', '말소리')}.wav", tone(440, 22_050), 22_050),
        "a.b": ("a.b.wav", tone(440, 44_100), 44_100),
        "short": ("short.wav", speech(5)[:4001], RATE),
    }
    root = tmp_path / "odd folder 폴더"
    (root / "train").mkdir(parents=True)
    for name, samples, rate in recordings.values():
        soundfile.write(root / "train" / name, samples, rate)
    for name in (".DS_Store", "notes.txt"):
        (root / "train" / name).touch()
    rows = [f'"{clip_id}","0.5","0.5"' for clip_id in reversed(recordings)]
    (root / "train_answer.csv").write_bytes("\r\n".join(['\ufeff"아이디","예","no no"', *rows, ""]).encode())

    splits = CompetitionFolder(root, val_fraction=0).load(cache_dir, 0)
    assert splits.class_names == ["예", "no no"] and splits.columns[0] == "아이디"
    assert splits.train.ids == list(reversed(recordings))
    loaded = {clip_id: waveform / 32768 for clip_id, waveform in waveforms(splits.train).items()}
    assert np.allclose(loaded["7"], speech(2)) and np.array_equal(loaded["short"], fit_length(speech(5)[:4001]))
    assert np.allclose(loaded["two words"], (tone(300) + tone(500)) / 2, atol=1e-4)
    for clip_id in ("0007", "말소리", "a.b"):
        assert np.abs(loaded[clip_id] - tone(440))[500:-500].max() < 2e-3, clip_id
