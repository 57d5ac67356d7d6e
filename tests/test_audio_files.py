"""Recordings are found in folders and lists, and what is not read is named."""

import unicodedata
from pathlib import Path

import pytest

from datamodules import audio_files
from datamodules.audio_files import find_recordings, find_words, list_recordings, walk_recordings
from datamodules.sources import CompetitionFolder
from datamodules.speakers import find_speakers
from overlapped_words.errors import DataError
from overlapped_words.inference.files import find_inputs, unique_ids
from tests.helpers.data_modules import load_words

SYSTEM = [".hidden.wav", "._a.wav", ".git/a.wav", "@eaDir/a.wav@SynoEAStream", "#recycle/a.wav", "$RECYCLE.BIN/a.wav"]


@pytest.fixture(autouse=True)
def without_ffmpeg(monkeypatch):
    monkeypatch.setattr(audio_files, "FFMPEG", None)


def fill(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def test_recordings_of_a_folder_are_listed_in_order(tmp_path, caplog):
    names = ["B.WAV", "_c.wav", "a b.flac", "c.Aif", "가나.wav", "é.mp3"]
    fill(tmp_path, *names, *SYSTEM)
    assert [path.name for path in find_recordings([tmp_path], "")] == sorted(names)
    assert not caplog.text
    fill(tmp_path, "notes.txt", "samples.raw", "wav", "folder.wav/d.wav", "a.m4a")
    assert [path.name for path in list_recordings(tmp_path)] == sorted(names)
    assert [path.name for path in walk_recordings(tmp_path)] == [*sorted(names), "d.wav"]


def test_what_is_not_read_is_counted_and_named(tmp_path, caplog):
    first = fill(tmp_path / "first", "a.wav", "b.m4a", "notes.txt", "old/c.wav")
    second = fill(tmp_path / "second", "a.wav", "\x1b[2J.webm", "e.m4a", "\x1b]0;b\x07/c.wav")
    find_recordings([first, second], "")
    files, folders = (record.getMessage() for record in caplog.records)
    assert files == (
        r"4 files skipped: first/b.m4a, first/notes.txt, second/\x1b[2J.webm and 1 more; install ffmpeg to read audio "
        "such as b.m4a, or convert it"
    )
    assert folders == r"2 subfolders not searched: first/old, second/\x1b]0;b\x07"


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], "contains no recordings; add some"),
        (["yes/a.wav", "no/a.wav", "c.txt"], "contains no recordings, only c.txt, no/, yes/; add some"),
        (["a.m4a", "b.txt"], "contains no recordings, only a.m4a, b.txt; install ffmpeg .* a.m4a, or convert it$"),
    ],
)
def test_a_folder_without_recordings_is_an_error_that_names_its_content(tmp_path, names, message):
    with pytest.raises(DataError, match=message):
        find_recordings([fill(tmp_path, *names)], "add some")


def test_words_are_compared_in_one_spelling(tmp_path, caplog):
    decomposed = unicodedata.normalize("NFD", "바나나")
    fill(tmp_path, "사과/a.wav", f"{decomposed}/a.wav", f"{decomposed}/b.wav", "_noise_/a.wav", "@eaDir/a.wav", "x.wav")
    names, paths, labels = find_words(tmp_path, "")
    assert names == ["바나나", "사과"] and list(labels) == [0, 0, 1]
    assert paths == [tmp_path / decomposed / "a.wav", tmp_path / decomposed / "b.wav", tmp_path / "사과/a.wav"]
    assert "1 recording beside the words' folders skipped" in caplog.text and "/x.wav" in caplog.text
    paths = [Path(unicodedata.normalize(form, "josé_1.wav")) for form in ("NFC", "NFD")]
    assert len(set(find_speakers(paths, "^([^_]+)_"))) == 1


def test_training_names_the_recordings_that_it_does_not_read(words, competition, cache_dir, tmp_path, caplog):
    fill(words, "up/ann_9.m4a", "left/ann/1.wav", "_background_noise_/rain.webm", "_background_noise_/README.md")
    unknown = fill(tmp_path / "unknown", "cat/ann_1.amr")
    (unknown / "cat/ann_2.wav").write_bytes((words / "up/ann_0.wav").read_bytes())
    (words / "_background_noise_/wind.wav").write_bytes((words / "up/ann_0.wav").read_bytes())
    load_words(words, cache_dir, k=(0, 2), unknown=str(unknown), speaker_regex=r"^([^_]+)")
    CompetitionFolder(str(fill(competition, "train/b.3gp", "test/old/c.wav"))).load(cache_dir, 0)
    for text in (
        "1 file skipped: up/ann_9.m4a; install ffmpeg",
        "1 subfolder not searched: left/ann",
        "1 file skipped: cat/ann_1.amr; install",
        "2 files skipped: _background_noise_/README.md, _background_noise_/rain.webm; install",
        "1 file skipped: train/b.3gp; install",
        "1 subfolder not searched: test/old",
    ):
        assert text in caplog.text


def test_ids_and_paths_of_a_folder_one_recording_and_a_list(tmp_path):
    names = ["a.flac", "a.mp3", "a.flac.wav", "b.wav", "B.wav", "c.tar.wav"]
    ids = unique_ids([Path("folder") / name for name in names])
    assert ids == ["a.flac", "a.mp3", "a.flac.wav", "b", "B", "c.tar"]
    fill(tmp_path, "b c.wav", "a.flac", "notes.txt", "old/d.wav", f"{unicodedata.normalize('NFD', '말')}.wav")
    inputs = find_inputs(tmp_path)
    assert inputs.ids == ["a", "b c", "말"] and not inputs.alone
    assert [path.name for path in inputs.paths][:2] == ["a.flac", "b c.wav"]
    with pytest.raises(DataError, match=r"contains no recordings, only d/; give the folder with the recordings$"):
        find_inputs(fill(tmp_path / "deep", "d/a.wav"))
    fill(tmp_path, "a.wav")
    (tmp_path / "list.txt").write_text("\n a.wav \n")
    assert find_inputs(tmp_path / "a.wav") == (["a"], [tmp_path / "a.wav"], True)
    assert find_inputs(tmp_path / "list.txt") == (["a.wav"], [tmp_path / "a.wav"], True)
    fill(tmp_path, "a/b.wav", "a/c d.wav")
    (tmp_path / "list.txt").write_text("a/b.wav\na\\c d.wav\na\\none.wav\n")
    inputs = find_inputs(tmp_path / "list.txt")
    assert inputs.paths == [tmp_path / name for name in ("a/b.wav", "a/c d.wav", "a/none.wav")]
    assert inputs.ids == ["a/b.wav", "a\\c d.wav", "a\\none.wav"]
    for content, message in ((b"", "the list is empty; write one path per line"), (b"\xff", "not in UTF-8; write")):
        (tmp_path / "list.txt").write_bytes(content)
        with pytest.raises(DataError, match=message):
            find_inputs(tmp_path / "list.txt")
