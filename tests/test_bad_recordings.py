"""Recordings that cannot be read give an error with their name, the reason and the remedy."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest

from datamodules import audio_files
from datamodules.recordings import read_clips, read_recording
from overlapped_words.errors import DataError
from tests.helpers.fake_recordings import RATE, speech, write

CLIP = speech(0)


def read_error(path: Path) -> str:
    """The error of a recording that cannot be read: one line with its path, what is wrong and what to do."""
    with pytest.raises(DataError) as caught:
        read_recording(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ") and "\n" not in message
    assert re.search(r"; \w.+$", message)
    return message


@pytest.mark.parametrize("rate", [1, 999, 11_026, 44_101, 2**31 - 1])
def test_rates_that_would_take_too_much_memory_are_errors(tmp_path, rate):
    path = write(tmp_path / "a.wav", CLIP, rate)
    assert read_error(path).startswith(f"{path}: cannot resample from {rate} Hz to 16000 Hz; convert to a common rate")


@pytest.mark.parametrize("keep", [0.3, 0.7, 0.99])
@pytest.mark.parametrize(
    "kind",
    ["wav PCM_16", "wav PCM_U8", "wav FLOAT", "aiff PCM_16", "au PCM_16", "w64 PCM_16", "rf64 PCM_16", "flac PCM_16"],
)
def test_truncated_recordings_are_errors(tmp_path, kind, keep):
    extension, subtype = kind.split()
    path = write(tmp_path / f"a.{extension}", speech(0, seconds=1.0001), subtype=subtype)
    path.write_bytes(path.read_bytes()[: int(keep * path.stat().st_size)])
    assert re.search("truncated, shorter than its header says|flac decoder lost sync", read_error(path))


@pytest.mark.parametrize("extension", ["wav", "flac", "mp3"])
@pytest.mark.parametrize("content", [b"", b"RIFF", b"not found", bytes(5000)])
def test_files_that_are_not_audio(tmp_path, extension, content):
    path = tmp_path / f"a.{extension}"
    path.write_bytes(content)
    assert re.search("cannot be read as audio|contains no samples", read_error(path))


def test_what_a_file_is_instead_of_a_recording(tmp_path):
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 32044\n"
    page = "\ufeff\n<!DOCTYPE html>\n<title>404</title>".encode() * 100
    contents = {"lfs.mp3": pointer, "page.opus": page, "samples.raw": bytes(32_000)}  # libsndfile needs a rate for raw
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "folder.wav").mkdir()
    write(tmp_path / "empty.wav", CLIP[:0])
    faults = {
        "lfs.mp3": "a Git LFS pointer, not the recording; fetch it: git lfs pull",
        "page.opus": "a web page (HTML), not a recording; replace it",
        "samples.raw": "cannot be read as audio",
        "folder.wav": "a folder, not a recording; list",
        "absent.wav": "no such file; correct",
        "empty.wav": "contains no samples; replace",
    }
    for name, fault in faults.items():
        assert f"{name}: {fault}" in read_error(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "content", "target"),
    [
        ("a.m4a", b"\0\0\0\x1cftypM4A ", "a.wav"),
        ("a.MP4", b"", "a.wav"),
        ("b c.webm", b"\x1a\x45\xdf\xa3", "b c.wav"),
        ("a.wav", b"\0\0\0\x20ftypisom", "a.flac"),  # the wrong extension
        ("a.mp3", b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "a.wav"),
    ],
)
def test_without_ffmpeg_the_error_says_how_to_convert(tmp_path, monkeypatch, name, content, target):
    monkeypatch.setattr(audio_files, "FFMPEG", None)
    path = tmp_path / name
    path.write_bytes(content)
    command = shlex.join(["ffmpeg", "-i", str(path), str(tmp_path / target)])
    assert read_error(path).endswith(f"; install ffmpeg to read audio such as {name}, or convert it first: {command}")


def test_a_sample_that_is_not_finite_is_an_error_with_its_index(tmp_path):
    clip = np.stack([CLIP, CLIP], axis=1)
    clip[1234, 1] = np.nan
    assert "sample 1234 is not a finite number" in read_error(write(tmp_path / "a.wav", clip, subtype="FLOAT"))


def test_the_error_counts_all_bad_recordings_and_names_five(tmp_path):
    paths = [write(tmp_path / f"{i}.wav", CLIP) for i in range(9)]
    for path in paths[2:]:
        path.write_text("no sound")
    with pytest.raises(DataError) as caught:
        list(read_clips(paths, RATE, RATE, chunk_size=4))
    first, *lines, last = str(caught.value).splitlines()
    assert first == "7 of 9 recordings cannot be used:"
    assert [line.split(": ")[0] for line in lines] == [str(path) for path in paths[2:7]]
    assert last == "... and 2 more"


def test_bad_recordings_are_collected_if_they_may_be_skipped(tmp_path):
    paths = [write(tmp_path / f"{i}.wav", speech(i)) for i in range(3)]
    paths[1].write_text("no sound")
    unreadable = {}
    (clips,) = read_clips(paths, RATE, RATE, unreadable=unreadable)
    assert list(unreadable) == [paths[1]] and "cannot be read as audio" in unreadable[paths[1]]
    assert [clip.any() for clip in clips] == [True, False, True]
