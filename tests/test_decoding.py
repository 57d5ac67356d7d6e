"""Recordings are decoded to their last sample, also if the header says nothing or something wrong about the length."""

import os
import struct
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import soundfile

from datamodules import audio_files
from datamodules.decoding import read_header
from datamodules.long_recordings import LongRecordings
from datamodules.recordings import decode_mono, read_blocks, read_recording, read_seconds
from overlapped_words.errors import DataError
from tests.helpers.fake_recordings import RATE, encode, speech

CLIP = speech(0)
DELAY = 1105  # samples that encoder and decoder add at the start of an MP3, removed if its header states them


def write_mp3s(folder: Path, mode: str, rate: int, loud_first: bool) -> tuple[Path, Path]:
    """An MP3 of three seconds with the frame that holds the number of frames, and the same file without it."""
    counted, uncounted = folder / "counted.mp3", folder / "uncounted.mp3"
    parts = [speech(0, 1, rate), 0.01 * speech(1, 2, rate)]
    soundfile.write(counted, np.concatenate(parts if loud_first else parts[::-1]), rate, bitrate_mode=mode)
    content = counted.read_bytes()
    uncounted.write_bytes(content[content.index(content[:2], 4) :])
    return counted, uncounted


@pytest.mark.parametrize("loud_first", [True, False])
@pytest.mark.parametrize("rate", [22_050, 44_100])
@pytest.mark.parametrize("mode", ["CONSTANT", "VARIABLE"])
def test_an_mp3_without_a_frame_count_is_read_to_the_end(tmp_path, mode, rate, loud_first):
    counted, uncounted = write_mp3s(tmp_path, mode, rate, loud_first)
    expected, waveform = (next(decode_mono(path, 60))[0] for path in (counted, uncounted))
    assert len(expected) == 3 * rate and 0 < len(waveform) - len(expected) < 4 * 1152
    assert np.allclose(waveform[DELAY:][: len(expected)], expected, atol=1e-6)
    assert read_header(counted).seconds == 3 and read_header(uncounted) == (0, rate)
    assert read_seconds(uncounted) == pytest.approx(len(waveform) / rate, abs=1e-3)
    assert LongRecordings([counted]).lengths.tolist() == [3 * RATE]


@pytest.mark.parametrize("counted", [True, False])
def test_blocks_of_an_mp3_join_without_a_gap(tmp_path, counted):
    path = write_mp3s(tmp_path, "VARIABLE", RATE, loud_first=True)[not counted]
    assert np.array_equal(np.concatenate(list(read_blocks(path, seconds=1))), np.concatenate(list(read_blocks(path))))


@pytest.mark.parametrize("name", ["counted.mp3", "uncounted.mp3", "a.wav", "a.flac"])
def test_a_recording_in_a_pipe(tmp_path, name):
    write_mp3s(tmp_path, "VARIABLE", RATE, loud_first=True)
    for extension in ("wav", "flac"):
        soundfile.write(tmp_path / f"a.{extension}", CLIP, RATE)
    os.mkfifo(pipe := tmp_path / "pipe")
    with ThreadPoolExecutor() as pool:
        pool.submit(lambda: pipe.write_bytes((tmp_path / name).read_bytes()))
        assert np.array_equal(read_recording(pipe), read_recording(tmp_path / name))


def test_tags_before_and_an_incomplete_frame_at_the_end_of_an_mp3(tmp_path, capfd):
    tags = b"ID3\x04\0\0\0\x06\x0d\x40" + b"Info".ljust(100_032, b"\0")  # 6 * 2^14 + 13 * 2^7 + 64 bytes
    counted, uncounted = write_mp3s(tmp_path, "CONSTANT", RATE, loud_first=True)
    lengths = {path: len(read_recording(path)) for path in (counted, uncounted)}
    for path, length in lengths.items():
        path.write_bytes(tags + path.read_bytes())
        assert len(read_recording(path)) == length
        path.write_bytes(path.read_bytes()[:-30])
    assert lengths[uncounted] - 1152 <= len(read_recording(uncounted)) < lengths[uncounted]
    assert not capfd.readouterr().err
    counted.write_bytes(counted.read_bytes()[:-5000])
    with pytest.raises(DataError, match=r"counted\.mp3: truncated, shorter than its header says"):
        read_recording(counted)


def with_size(content: bytes, size: int, riff: int = 36) -> bytes:
    """A WAV whose header states other sizes of the data and of the file."""
    at = content.index(b"data") + 4
    return content[:4] + struct.pack("<I", riff) + content[8:at] + struct.pack("<I", size) + content[at + 4 :]


@pytest.mark.parametrize(("subtype", "width"), [("PCM_16", 2), ("PCM_24", 3), ("FLOAT", 4)])
def test_a_wav_whose_size_includes_a_header_is_read(tmp_path, subtype, width):
    for error in (1, 8, 44, 80):
        (tmp_path / "a.wav").write_bytes(with_size(encode(CLIP, "WAV", subtype=subtype), RATE * width + error))
        assert np.array_equal(read_recording(tmp_path / "a.wav"), CLIP.astype(np.float32))


@pytest.mark.parametrize("size", [0, 4096, 0xFFFFFFFF, 0xFFFFFFFF - 36, 0x80000000, 0x7FFFFFFF, 0x7FFFFFFF - 36])
def test_a_file_from_a_pipe_or_a_killed_recorder_has_no_length_in_its_header(tmp_path, size):
    for riff in (0, 36, 0xFFFFFFFF):
        (tmp_path / "a.wav").write_bytes(with_size(encode(CLIP, "WAV"), size, riff))
        assert np.array_equal(read_recording(tmp_path / "a.wav"), CLIP.astype(np.float32))
    content, path = bytearray(encode(CLIP, "FLAC")), tmp_path / "a.flac"
    content[21:26] = bytes([content[21] & 0xF0, 0, 0, 0, 0])  # the 36 bits of the number of samples
    path.write_bytes(content)
    assert np.array_equal(read_recording(path), CLIP.astype(np.float32))
    assert read_header(path) == (0, RATE) and read_seconds(path) == 1


FFMPEG = """import io, sys, soundfile
samples, rate = soundfile.read(sys.argv[sys.argv.index('-i') + 1].removeprefix('file:'))
file = io.BytesIO()
soundfile.write(file, samples, rate, 'FLOAT', format='AU')
sys.stdout.buffer.write(file.getvalue())
"""


@pytest.mark.parametrize("channels", [1, 2, 6])
@pytest.mark.parametrize("name", ["a.m4a", "b c.WEBM"])
def test_an_installed_ffmpeg_decodes_what_libsndfile_cannot(tmp_path, monkeypatch, name, channels):
    script = tmp_path / "ffmpeg"
    script.write_text(f"#!{sys.executable}\n{FFMPEG}")
    script.chmod(0o755)
    monkeypatch.setattr(audio_files, "FFMPEG", str(script))
    samples = np.stack([speech(i, 2.5, 8000) for i in range(channels)], axis=1)
    path = tmp_path / name
    path.write_bytes(encode(samples, "WAV", 8000))
    assert audio_files.list_recordings(tmp_path) == [path]
    waveform = np.concatenate([block for block, _ in decode_mono(path, 1)])
    assert np.allclose(waveform, samples.mean(axis=1), atol=1e-6)
    path.write_bytes(b"no sound")
    with pytest.raises(DataError, match=r"cannot be read as audio \(ffmpeg cannot decode it\); replace it or remove"):
        read_recording(path)


@pytest.mark.skipif(audio_files.FFMPEG is None, reason="needs ffmpeg")
@pytest.mark.parametrize("name", ["a.m4a", "a.webm", "a.wma", "a.aac"])
def test_the_installed_ffmpeg(tmp_path, name):
    soundfile.write(tmp_path / "clip.flac", CLIP, RATE)
    path = tmp_path / name
    subprocess.run(["ffmpeg", "-v", "error", "-i", tmp_path / "clip.flac", path], check=True)
    assert 0.95 * RATE < len(read_recording(path)) < 1.4 * RATE
    path.write_text(f"#EXTM3U\n#EXTINF:1,\n{tmp_path / 'clip.flac'}\n")  # a playlist would open other files
    with pytest.raises(DataError, match="cannot be read as audio"):
        read_recording(path)
