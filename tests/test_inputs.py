"""Find the recordings of predict.py's setting `input`."""

import unicodedata
from pathlib import Path

import pytest

from overlapped_words.errors import DataError
from overlapped_words.inference.files import find_inputs, unique_ids


def fill(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def test_ids_are_stems_unless_two_are_equal():
    names = ["a.flac", "a.mp3", "a.flac.wav", "b.wav", "B.wav", "c.tar.wav"]
    ids = unique_ids([Path("folder") / name for name in names])
    assert ids == ["a.flac", "a.mp3", "a.flac.wav", "b", "B", "c.tar"]


def test_a_folder(tmp_path):
    fill(tmp_path, "b c.wav", "a.flac", "notes.txt", "old/d.wav", f"{unicodedata.normalize('NFD', '말')}.wav")
    inputs = find_inputs(tmp_path)
    assert inputs.ids == ["a", "b c", "말"] and not inputs.alone
    assert [path.name for path in inputs.paths][:2] == ["a.flac", "b c.wav"]
    with pytest.raises(DataError, match=r"contains no recordings, only d/; give the folder with the recordings$"):
        find_inputs(fill(tmp_path / "deep", "d/a.wav"))


def test_a_list_has_paths_relative_to_it_with_slashes_or_backslashes(tmp_path):
    fill(tmp_path, "a/b.wav", "a/c d.wav", "e\\f.wav")
    (tmp_path / "list.txt").write_text("a/b.wav\na\\c d.wav\ne\\f.wav\na\\none.wav\n")
    inputs = find_inputs(tmp_path / "list.txt")
    assert inputs.paths == [tmp_path / name for name in ("a/b.wav", "a/c d.wav", "e\\f.wav", "a\\none.wav")]
    assert inputs.ids == ["a/b.wav", "a\\c d.wav", "e\\f.wav", "a\\none.wav"]


def test_one_recording_is_alone_as_a_path_or_a_list(tmp_path):
    fill(tmp_path, "a.wav")
    (tmp_path / "list.txt").write_text("\n a.wav \n")
    assert find_inputs(tmp_path / "a.wav") == (["a"], [tmp_path / "a.wav"], True)
    assert find_inputs(tmp_path / "list.txt") == (["a.wav"], [tmp_path / "a.wav"], True)


def test_an_invalid_list_is_an_error(tmp_path):
    for content, message in ((b"", "the list is empty; write one path per line"), (b"\xff", "not in UTF-8; write")):
        (tmp_path / "list.txt").write_bytes(content)
        with pytest.raises(DataError, match=message):
            find_inputs(tmp_path / "list.txt")
