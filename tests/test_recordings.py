"""Recordings are read as mono at 16 kHz, or give an error with their name, the reason and the remedy."""

import re
from pathlib import Path

import numpy as np
import pytest

from datamodules import audio_files, decoding
from datamodules.recordings import fit_length, read_blocks, read_clips, read_recording
from datamodules.waveforms import from_int16, to_int16
from overlapped_words.errors import DataError
from tests.helpers.fake_recordings import RATE, speech, tone, write

CLIP = speech(0)


def test_16_bit_samples_are_read_exactly_and_conversion_rounds_and_clips(tmp_path):
    samples = np.random.default_rng(0).integers(-32768, 32768, RATE, dtype=np.int16)
    waveform = read_recording(write(tmp_path / "a.wav", samples))
    assert waveform.dtype == np.float32
    assert np.array_equal(to_int16(waveform), samples) and np.array_equal(from_int16(samples), waveform)
    values = np.array([-1.0, -1.1, 1.0, 0.49 / 32768, 0.51 / 32768, 0.5])
    assert to_int16(values).tolist() == [-32768, -32768, 32767, 0, 1, 16384]


@pytest.mark.parametrize("extension", ["flac", "aiff", "au", "caf", "w64", "rf64", "ogg", "mp3"])
def test_formats_agree(tmp_path, extension):
    waveform = read_recording(write(tmp_path / f"a.{extension}", tone(440)))
    assert np.abs(waveform - tone(440))[1000:15000].max() < (0.05 if extension in ("ogg", "mp3") else 2**-15)


@pytest.mark.parametrize("subtype", ["FLOAT", "DOUBLE"])
def test_floating_point_audio_is_scaled_only_beyond_full_scale(tmp_path, subtype):
    quiet, loud = CLIP * 1e-5, CLIP / np.abs(CLIP).max() * 2.5
    assert np.array_equal(read_recording(write(tmp_path / "a.wav", quiet, subtype=subtype)), quiet.astype(np.float32))
    scaled = read_recording(write(tmp_path / "b.wav", loud, subtype=subtype))
    assert np.abs(scaled).max() == 1 and np.allclose(scaled, loud / 2.5, atol=1e-6)


@pytest.mark.parametrize("right", [-1.0, -0.9, -1.1])
def test_of_channels_that_cancel_out_the_louder_one_is_used(tmp_path, caplog, right):
    noise = np.random.default_rng(0).normal(0, 1e-3, (RATE, 2))
    both = np.stack([CLIP, right * CLIP], axis=1) * 0.5 + noise
    waveform = read_recording(write(tmp_path / "a.wav", both, subtype="FLOAT"))
    assert np.allclose(waveform, both[:, int(right < -1)], atol=1e-6)
    path = re.escape(str(tmp_path / "a.wav"))
    assert re.search(f"{path}: the two channels have opposite phase .*; only the louder one is used", caplog.text)


@pytest.mark.parametrize("others", [[CLIP], [0 * CLIP], [-0.5 * CLIP], [speech(1)], [-CLIP, 0 * CLIP, speech(1)]])
def test_other_channels_give_exactly_their_mean(tmp_path, caplog, others):
    both = np.stack([CLIP, *others], axis=1).astype(np.float32)
    assert np.array_equal(read_recording(write(tmp_path / "a.wav", both, subtype="FLOAT")), both.mean(axis=1))
    assert not caplog.text


def test_a_long_recording_uses_the_same_channel_throughout(tmp_path, caplog):
    left = np.concatenate([speech(0), 0.5 * speech(1), np.zeros(RATE), speech(2)])
    gain = np.repeat([1.1, 0.9, 1, 1], RATE)  # the right one is louder in the first second alone
    both = np.stack([left, -gain * left], axis=1) * 0.5
    blocks = list(read_blocks(write(tmp_path / "a.wav", both, subtype="FLOAT"), seconds=1))
    assert len(blocks) == 4 and np.allclose(np.concatenate(blocks), both[:, 1], atol=1e-6)
    assert caplog.text.count("opposite phase") == 1


def test_many_channels_or_a_high_rate_are_read_in_shorter_blocks(tmp_path, monkeypatch):
    samples = np.random.default_rng(0).integers(-9000, 9000, (5 * 192_000, 2), dtype=np.int16)
    path = write(tmp_path / "a.wav", samples, 192_000)
    whole = list(read_blocks(path))
    monkeypatch.setattr(decoding, "MAX_VALUES", 800_000)  # two seconds
    blocks = list(read_blocks(path))
    assert [len(block) for block in whole] == [5 * RATE]
    assert [len(block) for block in blocks] == [2 * RATE, 2 * RATE, RATE]
    assert np.allclose(np.concatenate(blocks), whole[0], atol=1e-6)
    monkeypatch.setattr(decoding, "MAX_SECOND", 300_000)
    with pytest.raises(DataError, match=r"has 2 channels at 192000 Hz; convert it to mono at 48000 Hz or less"):
        read_recording(path)


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 44_100, 48_000])
def test_other_rates_are_resampled(tmp_path, rate):
    waveform = read_recording(write(tmp_path / "a.wav", tone(440, rate), rate, subtype="FLOAT"))
    assert waveform.shape == (RATE,) and waveform.dtype == np.float32
    assert np.abs(waveform - tone(440))[500:-500].max() < 2e-3  # the ends have no neighbors to interpolate


def test_shorter_clips_are_padded_on_both_sides_and_longer_ones_cut_to_the_loudest_window():
    for length, before in ((1, 7999), (5000, 5500), (15_999, 0), (RATE, 0)):
        fitted = fit_length(CLIP[:length])
        assert np.array_equal(fitted, np.pad(CLIP[:length], (before, RATE - length - before)))
    rng = np.random.default_rng(0)
    clip = (rng.normal(0, 0.1, RATE + 500) * rng.uniform(0, 1, RATE + 500)).astype(np.float32)
    start = int(np.argmax([np.square(clip[i : i + RATE], dtype=np.float64).sum() for i in range(501)]))
    assert 0 < start < 500 and np.array_equal(fit_length(clip), clip[start : start + RATE])


def test_warnings_about_many_recordings_are_one_and_bad_ones_are_counted_or_collected(tmp_path, caplog):
    both = np.stack([CLIP, -CLIP], axis=1)
    paths = [write(tmp_path / f"{i}.wav", both if i != 2 else CLIP) for i in range(6)]
    list(read_clips(paths, chunk_size=2))
    (record,) = caplog.records
    assert re.fullmatch(r"\S+, \S+, \S+ and 2 more: the two channels have opposite phase .*", record.getMessage())
    caplog.clear()
    read_recording(paths[0])
    assert caplog.text.count("opposite phase") == 1  # grouping has ended
    paths = [write(tmp_path / f"{i}.wav", CLIP) for i in range(9)]
    for path in paths[2:]:
        path.write_text("no sound")
    with pytest.raises(DataError) as caught:
        list(read_clips(paths, chunk_size=4))
    first, *lines, last = str(caught.value).splitlines()
    assert (first, last) == ("7 of 9 recordings cannot be used:", "... and 2 more")
    assert [line.split(": ")[0] for line in lines] == [str(path) for path in paths[2:7]]
    unreadable = {}
    (clips,) = read_clips(paths[:3], unreadable=unreadable)
    assert list(unreadable) == [paths[2]] and "cannot be read as audio" in unreadable[paths[2]]
    assert [clip.any() for clip in clips] == [True, True, False]


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
def test_files_that_are_not_audio(tmp_path, extension):
    path = tmp_path / f"a.{extension}"
    for content in (b"", b"RIFF", b"not found", bytes(5000)):
        path.write_bytes(content)
        assert re.search("cannot be read as audio|contains no samples", read_error(path))


def test_what_a_file_is_instead_of_a_recording(tmp_path, monkeypatch):
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 32044\n"
    (tmp_path / "folder.wav").mkdir()
    write(tmp_path / "empty.wav", CLIP[:0])
    for name, content, fault in (
        ("lfs.mp3", pointer, "a Git LFS pointer, not the recording; fetch it: git lfs pull"),
        ("samples.raw", bytes(32_000), "cannot be read as audio"),  # libsndfile needs a rate
        ("folder.wav", None, "cannot be read as audio"),
        ("absent.wav", None, "no such file; correct"),
        ("empty.wav", None, "contains no samples; replace"),
        ("a\udcff.wav", bytes(9), "its name is not in UTF-8; rename it"),
    ):
        if content:
            (tmp_path / name).write_bytes(content)
        assert f"{name}: {fault}" in read_error(tmp_path / name)
    monkeypatch.setattr(audio_files, "FFMPEG", None)
    (tmp_path / "a.M4A").touch()
    assert read_error(tmp_path / "a.M4A").endswith("; install ffmpeg to read audio such as a.M4A, or convert it")
    clip = np.stack([CLIP, CLIP], axis=1)
    clip[1234, 1] = np.nan
    assert "sample 1234 is not a finite number" in read_error(write(tmp_path / "a.wav", clip, subtype="FLOAT"))
