"""Find the recordings of predict.py's setting `input`."""

from pathlib import Path

import pytest

from overlapped_words.errors import DataError
from overlapped_words.inference.inputs import find_inputs, unique_ids


def fill(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def test_ids_are_stems_unless_two_are_equal():
    names = ["a.flac", "a.mp3", "a.flac.wav", "b.wav", "B.wav", "c.tar.wav"]
    ids = unique_ids([Path("folder") / name for name in names])
    assert ids == ["a.flac", "a.mp3", "a.flac.wav", "b", "B", "c.tar"]


def test_other_files_in_a_folder_are_counted_and_named(tmp_path, caplog):
    fill(tmp_path, "a.m4a", "b c.wav", "c.flac", "notes.txt", ".DS_Store", "._b.wav", "old/d.wav", ".git/x")
    inputs = find_inputs(tmp_path)
    assert inputs.ids == ["b c", "c"] and inputs.paths == [tmp_path / "b c.wav", tmp_path / "c.flac"]
    assert not inputs.alone
    skipped, folders = (record.getMessage() for record in caplog.records)
    convert = f"convert audio that cannot be read first: ffmpeg -i {tmp_path}/a.m4a {tmp_path}/a.wav"
    assert skipped == f"2 files skipped: a.m4a, notes.txt; {convert}"
    assert folders == "1 subfolder not searched: old"


def test_control_characters_in_names_are_escaped(tmp_path, caplog):
    find_inputs(fill(tmp_path, "a.wav", "\x1b[2J.m4a", "\x1b]0;b\x07/c.wav"))
    assert "ffmpeg -i" in caplog.text and r"\x1b[2J.m4a" in caplog.text and r"\x1b]0;b\x07" in caplog.text
    assert not any(c in record.getMessage() for record in caplog.records for c in "\x1b\x07")


def test_a_folder_with_only_recordings_logs_nothing(tmp_path, caplog):
    assert find_inputs(fill(tmp_path, "a.wav", ".hidden")).ids == ["a"]
    assert not caplog.text


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], "contains no recordings; give the folder with the recordings"),
        (["yes/a.wav", "no/a.wav"], "contains no recordings; give one of its subfolders: no, yes"),
        (["a.m4a", "b.txt"], "contains no recordings, only a.m4a, b.txt; convert audio .* ffmpeg -i .*a.m4a .*a.wav$"),
    ],
)
def test_a_folder_without_recordings_is_an_error_that_names_its_content(tmp_path, names, message):
    with pytest.raises(DataError, match=message):
        find_inputs(fill(tmp_path, *names))


def test_one_recording_is_alone_as_a_path_or_a_list(tmp_path):
    fill(tmp_path, "a.wav")
    (tmp_path / "list.txt").write_text("\n a.wav \n")
    assert find_inputs(tmp_path / "a.wav") == (["a"], [tmp_path / "a.wav"], True)
    assert find_inputs(tmp_path / "list.txt") == (["a.wav"], [tmp_path / "a.wav"], True)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the list is empty; write one path per line"),
        ("é.wav".encode("utf-16"), "the list is not in UTF-8; write"),
    ],
)
def test_an_invalid_list_is_an_error(tmp_path, content, message):
    (tmp_path / "list.txt").write_bytes(content)
    with pytest.raises(DataError, match=message):
        find_inputs(tmp_path / "list.txt")
