"""Word folders give splits with separate speakers, or an error that says what to correct."""

import logging
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from datamodules.audio_files import list_recordings
from datamodules.recordings import read_recording
from datamodules.sources import CompetitionFolder, SpeechCommands, WordFolder
from overlapped_words.errors import DataError
from tests.helpers.data_modules import load_error, load_words, on_words
from tests.helpers.fake_recordings import SPEAKERS, WORDS, cached_files, read_table, write_table


def test_no_speaker_is_in_two_splits(words, cache_dir):
    # A mixture of one word, not shifted or attenuated, is a recording, which identifies its speaker.
    splits = load_words(words, cache_dir, k=1, gain_db=0, offset=0, val_fraction=0.3, test_fraction=0.2)
    assert splits.class_names == sorted(WORDS) and splits.columns == ["id", *sorted(WORDS)]
    paths = [path for word in splits.class_names for path in list_recordings(words / word)]
    recordings = np.stack([read_recording(path) for path in paths])
    recordings /= np.linalg.norm(recordings, axis=1, keepdims=True)
    speakers = {}
    for name in ("train", "val", "test"):
        data = getattr(splits, name)
        clips, targets = data.batch(range(60)) if name == "train" else data.__getitems__(range(40))
        clips = clips.numpy().astype(np.float32)
        similarity = clips / np.linalg.norm(clips, axis=1, keepdims=True) @ recordings.T
        assert np.sort(similarity)[:, -1].min() > 0.99999 and np.sort(similarity)[:, -2].max() < 0.999
        used = [paths[i] for i in similarity.argmax(axis=1)]
        assert [path.parent.name for path in used] == [splits.class_names[i] for i in targets.argmax(axis=1)]
        speakers[name] = {path.name.split("_")[0] for path in used}
    assert {name: len(names) for name, names in speakers.items()} == {"train": 3, "val": 2, "test": 1}
    assert set.union(*speakers.values()) == set(SPEAKERS)


def test_members_share_the_fixed_mixtures_but_not_the_training_mixtures(words, cache_dir):
    one, other = load_words(words, cache_dir, seed=0), load_words(words, cache_dir, seed=1)
    for name in ("val", "test"):
        a, b = getattr(one, name), getattr(other, name)
        assert a.ids == b.ids == [f"{name}_{i:05d}" for i in range(40)] and a.key == b.key
        assert np.array_equal(a.array, b.array) and np.array_equal(a.targets, b.targets)
    assert not np.array_equal(one.train.batch(range(9))[0], other.train.batch(range(9))[0])
    assert not np.array_equal(one.val.array, one.test.array) and not np.array_equal(one.val.targets, one.test.targets)
    assert len(cached_files(cache_dir)) == 3


@pytest.mark.parametrize("option", [{"split_seed": 1}, {"k": 3}, {"gain_db": 6}, {"offset": 0.2}, {"val_size": 41}])
def test_fixed_mixtures_depend_on_the_settings_of_mixing(words, cache_dir, option):
    one, other = load_words(words, cache_dir), load_words(words, cache_dir, **option)
    assert one.val.key != other.val.key
    assert not np.array_equal(one.val.array[:40], other.val.array[:40])


def test_unusual_names_of_folders_and_files(words, cache_dir):
    (words / "down").rename(words / "no thanks")
    (words / "up").rename(words / "하나")
    for folder in ("_background_noise_", ".git"):
        (words / folder).mkdir()
    for path in list(words.glob("*/*.wav")):
        speaker, take = path.stem.split("_")
        path.rename(path.with_name(f"take {take} of {speaker}.WAV"))
    splits = load_words(words, cache_dir, speaker_regex=r"of (\w+)")
    assert splits.class_names == ["left", "no thanks", "right", "하나"]
    assert {len(rows) for rows in splits.train.mixer.words} == {8}  # four of six speakers, two takes
    assert load_words(words, cache_dir, speaker_regex=r"(?<=of )\w+").val.key == splits.val.key


def test_splits_state_their_sizes_and_the_test_clips_of_a_competition_replace_the_test_mixtures(
    words, competition, cache_dir, caplog
):
    splits = load_words(words, cache_dir, k=2, val_fraction=0, submission=competition)
    assert splits.sizes == {"train": {"recordings": 48, "speakers": 6}, "test": {"recordings": 4}}
    with caplog.at_level(logging.INFO, "datamodules.overlap"):
        on_words(words, cache_dir).setup()
    assert "train split: 32 recordings by 4 speakers" in caplog.messages
    assert "val split: 8 recordings by 1 speaker" in caplog.messages
    table = read_table(competition / "submission.csv")
    write_table(competition / "submission.csv", [[row[0], *reversed(row[1:])] for row in table])
    splits = load_words(words, cache_dir, val_fraction=0.3, submission=competition)
    assert splits.test.ids == [row[0] for row in table[1:]] and splits.test.targets is None
    assert splits.class_names == sorted(WORDS) and splits.columns == ["id", *reversed(WORDS)]
    expected = CompetitionFolder(competition).load(cache_dir, 0).test
    assert np.array_equal(splits.test.array[splits.test.rows], expected.array[expected.rows])
    assert len(np.concatenate(splits.train.mixer.words)) == 4 * 4 * 2  # no speakers are in a test split


def test_speech_commands_is_a_word_folder_after_the_download(words, tmp_path, cache_dir, monkeypatch):
    def download(root: Path, url: str, download: bool) -> None:
        assert (root, url, download) == (tmp_path / "commands", "speech_commands_v0.01", True)
        shutil.copytree(words, root / "SpeechCommands/speech_commands_v0.01")

    monkeypatch.setattr("datamodules.sources.SPEECHCOMMANDS", download)
    monkeypatch.setenv("HOME", str(tmp_path))
    splits = SpeechCommands("~/commands", k=2, train_size=10, val_size=5, test_size=5).load(cache_dir, 0)
    assert splits.class_names == sorted(WORDS) and len(splits.val) == 5


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (shutil.rmtree, ": no such folder; set data.root to a folder with one subfolder per word"),
        (lambda root: [shutil.rmtree(root), root.mkdir()], ": contains no recordings in subfolders; add one subfolder"),
        (lambda root: (root / "empty").mkdir(), "/empty: contains no recordings; add some or remove the folder"),
        (lambda root: (root / "left/ann_0.wav").rename(root / "left/ann.wav"), "/left/ann.wav: data.speaker_regex "),
        (lambda root: (root / "left/ann_0.wav").write_bytes(b"no"), "/left/ann_0.wav: cannot be read as audio "),
        (lambda root: (root / "up").rename(root / "id"), ": a word is named id, but tables have the columns id, "),
        (
            lambda root: [(root / name).mkdir() for name in ("\uc544", "\u110b\u1161")],
            r"/아: the same word as '\u110b\u1161'; move the recordings into one folder",
        ),
    ],
)
def test_bad_word_folders(words, cache_dir, spoil, message):
    spoil(words)
    assert f"{words}{message}" in load_error(WordFolder(words, k=2), cache_dir)


@pytest.mark.parametrize(("k", "shown"), [(5, "5"), (4, "4"), ((3, 2), r"\[3, 2\]"), (0, "0")])
def test_more_or_fewer_words_per_clip_than_there_are(words, cache_dir, k, shown):
    error = load_error(WordFolder(words, k=k), cache_dir)
    remedy = r"choose a number below 4, or a range such as \[1,4\]"
    assert re.fullmatch(rf"data\.k is {shown}, but {words} has 4 words; {remedy}", error)


def test_a_word_without_recordings_in_a_split(words, cache_dir):
    for path in (words / "left").iterdir():
        if not path.name.startswith("ann"):
            path.unlink()
    with pytest.raises(DataError, match=f"^{words}/left: no recordings by speakers of the .* 6 speakers: ann"):
        load_words(words, cache_dir)
    for path in words.glob("*/*.wav"):  # one speaker cannot be in three splits
        if not path.name.startswith("ann"):
            path.unlink()
    with pytest.raises(DataError, match="no recordings by speakers of the train split"):
        load_words(words, cache_dir)
    assert len(load_words(words, cache_dir, val_fraction=0, test_fraction=0).train) == 60


def test_a_competition_with_different_words_or_a_pattern_that_matches_the_word(words, competition, cache_dir):
    (words / "up").rename(words / "upwards")
    error = load_error(WordFolder(words, k=2, submission=competition), cache_dir)
    assert error.endswith("differ from those of training: missing upwards; unknown up; use the same header")
    for path in words.glob("*/*.wav"):
        path.rename(path.with_name(f"{path.parent.name}_{path.name}"))
    message = load_error(WordFolder(words, k=2), cache_dir)
    assert "data.speaker_regex (^([^_]+)_) finds 4 speakers: down, left, right and 1 more; correct it" in message
    assert load_words(words, cache_dir, speaker_regex=r"_(\w+)_").sizes["val"]["speakers"] == 1
