"""Errors of a competition's folder name the file, the row and what to do, and leave nothing half-written."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from datamodules.sources import CompetitionFolder
from overlapped_words.errors import DataError
from tests.helpers.data_modules import load_error
from tests.helpers.fake_recordings import RATE, cached_files, read_table, write_table


def rewrite(name: str, change: Callable[[list[list[str]]], None]) -> Callable[[Path], None]:
    def spoil(root: Path) -> None:
        rows = read_table(root / name)
        change(rows)
        write_table(root / name, rows)

    return spoil


BAD = {  # case: (change to a good folder, expected message)
    "no folder": (shutil.rmtree, r"^{root}: no such folder; set data\.root"),
    "no targets": (lambda root: (root / "train_answer.csv").unlink(), r"^{root}/train_answer\.csv: file not found; it"),
    "no test": (
        lambda root: shutil.rmtree(root / "test"),
        r"^{root}/test: no such folder; create it and add the recordings of submission\.csv$",
    ),
    "empty train": (
        lambda root: [path.unlink() for path in (root / "train").iterdir()],
        r"^{root}/train: contains no recordings; add those of train_answer\.csv$",
    ),
    "not audio": (
        lambda root: (root / "train/train_004.wav").write_bytes(b"no audio"),
        r"^1 of 12 .*\n{root}/train/train_004\.wav: cannot be read as audio .*; replace it or remove it$",
    ),
    "a broken link": (
        lambda root: [(root / "train/train_004.wav").unlink(), (root / "train/train_004.wav").symlink_to("nothing")],
        r"^{root}/train/train_004\.wav: broken symbolic link; restore its target or remove it$",
    ),
    "a row without its recording": (
        lambda root: (root / "train/train_004.wav").unlink(),
        r"^{root}/train_answer\.csv, line 6: train_004 has no recording in {root}/train \(1 such rows\); add the rec",
    ),
    "a test recording without its row": (
        rewrite("submission.csv", lambda rows: rows.pop(3)),
        r"^{root}/test: no row in {root}/submission\.csv for test_002; add the row",
    ),
    "two recordings with the same id": (
        lambda root: shutil.copy(root / "train/train_004.wav", root / "train/train_004.flac"),
        r"^{root}/train: train_004\.flac and train_004\.wav have the same id; keep one of them$",
    ),
    "a sum that is not 1": (
        rewrite("train_answer.csv", lambda rows: rows[3].__setitem__(slice(1, None), ["1", "1", "0", "0"])),
        r"^{root}/train_answer\.csv, line 4 \(train_002\): sums to 2, not to 1 .*; divide each row by its sum$",
    ),
    "wrong columns": (
        rewrite("submission.csv", lambda rows: rows[0].__setitem__(2, "lefft")),
        r"^{root}/submission\.csv: columns differ from train_answer\.csv: missing left; unknown lefft; use the same",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_competition_folders(competition, cache_dir, case):
    spoil, message = BAD[case]
    spoil(competition)
    error = load_error(CompetitionFolder(competition), cache_dir)
    assert re.search(message.replace("{root}", re.escape(str(competition))), error)


def test_a_bad_test_recording_keeps_the_cached_training_clips(competition, cache_dir):
    (competition / "test/test_001.flac").write_bytes(b"fLaC")
    with pytest.raises(DataError, match=r"^1 of 4 recordings cannot be used:\n.*/test/test_001\.flac: "):
        CompetitionFolder(competition).load(cache_dir, 0)
    (name,) = cached_files(cache_dir)
    assert np.load(cache_dir / name).shape == (12, RATE)
