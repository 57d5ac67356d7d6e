"""Sources: checked settings, fingerprints of the splits, one word as vocabulary, the few clips of a trial run."""

import math
import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from datamodules.clips import Splits
from datamodules.sources import CompetitionFolder, WordFolder
from datamodules.synthetic import Synthetic
from overlapped_words.errors import SettingError
from overlapped_words.settings.component import check_component
from tests.helpers.data_modules import load_error, load_words
from tests.helpers.fake_recordings import read_table, speech, write_competition, write_table, write_word_folder
from tests.helpers.scripts import run
from tests.helpers.small_runs import metrics_of


def load_competition(root: Path, cache_dir: Path, seed: int = 0, **options) -> Splits:
    return CompetitionFolder(root, **{"val_fraction": 0.25, **options}).load(cache_dir, seed)


LOAD = {"competition": load_competition, "words": load_words}


@pytest.mark.parametrize("kind", LOAD)
def test_fingerprints_are_those_of_a_copy_elsewhere(kind, request, tmp_path):
    root = request.getfixturevalue(kind)
    before = LOAD[kind](root, tmp_path / "cache").fingerprints
    assert list(before) == ["train", "val", "test"] and len(set(before.values())) == 3
    shutil.copytree(root, tmp_path / "elsewhere")
    for path in (tmp_path / "elsewhere").rglob("*.*"):
        os.utime(path, (1000, 1000))
    assert LOAD[kind](tmp_path / "elsewhere", tmp_path / "other", seed=5).fingerprints == before


def test_a_changed_recording_target_or_speaker_changes_the_fingerprint(competition, cache_dir, words):
    before = load_competition(competition, cache_dir).fingerprints
    soundfile.write(competition / "test/test_002.flac", speech(99, seconds=0.9), 16_000)
    rows = read_table(competition / "train_answer.csv")
    rows[1][1:] = ["1", "0", "0", "0"]
    write_table(competition / "train_answer.csv", rows)
    after = load_competition(competition, cache_dir).fingerprints
    assert [after[split] == before[split] for split in before] == [False, True, False]
    assert load_competition(competition, cache_dir, split_seed=1).fingerprints["test"] == after["test"]
    before = load_words(words, cache_dir).fingerprints
    assert load_words(words, cache_dir, split_seed=3).fingerprints != before
    for path in words.glob("*/ann_0.wav"):
        shutil.copy(path, path.with_name("gil_0.wav"))
    assert load_words(words, cache_dir).fingerprints["train"] != before["train"]
    submitted = load_words(words, cache_dir, submission=str(competition)).fingerprints["test"]
    assert submitted == load_competition(competition, cache_dir).fingerprints["test"]


def test_one_word_is_an_error_with_a_remedy(tmp_path, cache_dir):
    words = write_word_folder(tmp_path / "words", ["down"])
    one = "has one word, down, so all clips have it and there is nothing to learn"
    remedy = f"{one}; add another word, or learn whether a clip has it: data.k=[0,1] model.output=set"
    table = write_competition(tmp_path / "one", words=["down"]) / "train_answer.csv"
    for source, message in (
        (WordFolder(words), f"{words}: {remedy}"),
        (WordFolder(words, k=1), f"{words}: {remedy}"),
        (Synthetic(6, 1, ["down"]), f"data.words: {remedy}"),
        (CompetitionFolder(table.parent, 0.25), f"{table}: {one}; add clips of another word, or, with"),
    ):
        assert load_error(source, cache_dir).startswith(message)
    assert not cache_dir.exists()  # before recordings are read
    splits = load_words(words, cache_dir, k=[0, 1])
    assert splits.train.k == (0, 1) and splits.no_words is not None


@pytest.mark.parametrize("kind", LOAD)
def test_a_trial_run_reads_a_few_clips_and_writes_nothing(kind, request, cache_dir, monkeypatch):
    root, read = request.getfixturevalue(kind), []

    def read_recording(path: Path) -> np.ndarray:
        read.append(path)
        return speech(len(read))

    monkeypatch.setattr("datamodules.recordings.read_recording", read_recording)
    splits = LOAD[kind](root, cache_dir, limit=2)
    assert len(read) == {"competition": 6, "words": 4 * 3}[kind]
    assert [len(clips) for clips in (splits.train, splits.val, splits.test)] == [2, 2, 2]
    batch = splits.val.__getitems__([0, 1])
    assert batch.clips.shape == (2, 16_000) and np.allclose(batch.targets.sum(dim=1), 1)
    assert not cache_dir.exists()


def test_an_argument_of_a_wrong_type_or_out_of_range_is_an_error():
    for source, wrong in (
        ("sources.WordFolder", {"k": [1], "speaker_regex": "([", "curriculum": 1.5, "train_size": True}),
        ("sources.CompetitionFolder", {"val_fraction": "1/5", "fold": "all"}),
        ("sources.SpeechCommands", {"test_fraction": math.nan}),
        ("synthetic.Synthetic", {"words": [True], "gain_db": -1}),  # gain_db is of the base class
    ):
        valid = {"num_voices": 5, "takes": 1} if source == "synthetic.Synthetic" else {"root": "folder"}
        valid["_target_"] = f"datamodules.{source}"
        check_component("data", valid)
        for setting, value in wrong.items():
            with pytest.raises(SettingError, match=rf"^data\.{setting}(\.\d)? is "):
                check_component("data", valid | {setting: value})


def test_one_word_reports_misses_and_false_alarms(tmp_path: Path) -> None:
    write_word_folder(tmp_path / "words", ["down"])
    sizes = [f"data.{split}_size=16" for split in ("train", "val", "test")]
    options = ["data.root=words", "data.k=[0,1]", "model.output=set", "data.cache_dir=cache", "name=one", *sizes]
    printed = run("train.py", "experiment=smoke", "data=words", *options, "callbacks.dashboard=null", cwd=tmp_path)
    member = tmp_path / "outputs" / "one" / "avg_seed0"
    metrics = metrics_of(member)
    assert 0 <= metrics["missed"] <= 1 and 0 <= metrics["false_alarms"] <= 1
    assert f"any word  {metrics['missed']:.1%} missed, {metrics['false_alarms']:.1%} false alarms" in printed
    scores = pd.read_csv(member / "event_score.csv")
    assert list(scores) == ["id", "has_words", "event_score"] and scores["event_score"].between(0, 1).all()
    assert (scores["has_words"] == 0).sum() == 16 and 0 < (scores["has_words"] == 1).sum() <= 16
