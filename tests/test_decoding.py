"""Recordings are decoded to their last sample, also if the header says nothing or something wrong about the length."""

import io
import os
import struct
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import soundfile

from datamodules import audio_files
from datamodules.decoding import read_header
from datamodules.recordings import read_blocks, read_recording, read_seconds
from overlapped_words.errors import DataError
from tests.helpers.fake_recordings import RATE, speech

CLIP = speech(0)


def encode(samples: np.ndarray, kind: str, rate: int = RATE, **options: str) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=kind, **options)
    return file.getvalue()


@pytest.mark.parametrize("kind", ["wav", "flac", "mp3"])
def test_a_recording_in_blocks_or_in_a_pipe(tmp_path, kind):
    soundfile.write(path := tmp_path / f"a.{kind}", 0.3 * speech(0, 3), RATE)
    waveform = read_recording(path)
    assert len(waveform) == 3 * RATE == RATE * read_seconds(path)
    assert np.array_equal(np.concatenate(list(read_blocks(path, seconds=1))), waveform)
    os.mkfifo(pipe := tmp_path / "pipe")
    with ThreadPoolExecutor() as pool:
        pool.submit(lambda: pipe.write_bytes(path.read_bytes()))
        assert np.array_equal(read_recording(pipe), waveform)


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
    waveform = np.concatenate(list(read_blocks(path, 8000, seconds=1)))
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
