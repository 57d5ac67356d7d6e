"""A competition's folder gives clips with their own targets, or an error that names file, row and remedy."""

import re
import shutil
import unicodedata
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from datamodules.clips import Clips
from datamodules.recordings import fit_length
from datamodules.sources import CompetitionFolder
from datamodules.waveforms import to_int16
from overlapped_words.errors import DataError
from tests.helpers.data_modules import load_error
from tests.helpers.fake_recordings import RATE, WORDS, cached_files, read_table, speech, tone, write_table


def waveforms(clips: Clips) -> dict[str, np.ndarray]:
    return dict(zip(clips.ids, clips.array[clips.rows], strict=True))


def test_targets_are_matched_by_id_and_test_clips_in_the_order_of_the_submission_file(competition, cache_dir):
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


def rewrite(name: str, pattern: str, text: str) -> Callable[[Path], object]:
    return lambda root: (root / name).write_text(re.sub(pattern, text, (root / name).read_text()))


CLIP = "train/train_004.wav"


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (shutil.rmtree, ": no such folder; set data.root"),
        (lambda root: (root / "train_answer.csv").unlink(), "/train_answer.csv: file not found; it"),
        (lambda root: shutil.rmtree(root / "test"), "/test: no such folder; create it and add the recordings of subm"),
        (lambda root: [p.unlink() for p in (root / "train").iterdir()], "/train: contains no recordings; add those of"),
        (lambda root: (root / CLIP).write_bytes(b"no"), f"/{CLIP}: cannot be read as audio"),
        (lambda root: [(root / CLIP).unlink(), (root / CLIP).symlink_to("no")], f"/{CLIP}: broken symbolic link; "),
        (lambda root: (root / CLIP).unlink(), "/train_answer.csv: the row train_004 has no recording"),
        (rewrite("submission.csv", "test_002.*\n", ""), "/test: no row in submission.csv for test_002; add the row"),
        (
            lambda root: shutil.copy(root / CLIP, root / "train/train_004.flac"),
            "/train: train_004.flac, train_004.wav have the same id; keep one of them",
        ),
        (
            rewrite("train_answer.csv", "train_002,.*", "train_002,1,1,0,0"),
            "/train_answer.csv: the row train_002 does not sum to 1; divide each row by its sum (1 such rows)",
        ),
        (
            rewrite("submission.csv", "left", "lefft"),
            "/submission.csv: its words differ from those of training: missing left; unknown lefft; use the same",
        ),
    ],
)
def test_bad_competition_folders(competition, cache_dir, spoil, message):
    spoil(competition)
    assert f"{competition}{message}" in load_error(CompetitionFolder(competition), cache_dir)


def test_a_bad_test_recording_keeps_the_cached_training_clips(competition, cache_dir):
    (competition / "test/test_001.flac").write_bytes(b"fLaC")
    with pytest.raises(DataError, match=r"^1 of 4 recordings cannot be used:\n.*/test/test_001\.flac: "):
        CompetitionFolder(competition).load(cache_dir, 0)
    (name,) = cached_files(cache_dir)
    assert np.load(cache_dir / name).shape == (12, RATE)


@pytest.mark.parametrize("spelling", ["{}", "{}.wav", "train/{}.FLAC", "train\\{}.mp4"])
def test_rows_are_matched_by_file_name(competition, cache_dir, spelling):
    header, *rows = read_table(competition / "train_answer.csv")
    ids = [spelling.format(row[0]) for row in rows]
    write_table(competition / "train_answer.csv", [header, *([i, *row[1:]] for i, row in zip(ids, rows, strict=True))])
    splits = CompetitionFolder(competition).load(cache_dir, 0)
    assert {*splits.train.ids, *splits.val.ids} == set(ids)
    write_table(competition / "train_answer.csv", [header, ["other/" + rows[0][0], *rows[0][1:]], *rows])
    with pytest.raises(DataError, match="train_000 is the recording of another row, too; keep one"):
        CompetitionFolder(competition).load(cache_dir, 0)
