"""Recordings are read as mono at 16 kHz, or give an error with their name."""

import re

import numpy as np
import pytest

from datamodules import decoding
from datamodules.recordings import fit_length, read_blocks, read_clips, read_recording
from datamodules.waveforms import from_int16, to_int16
from overlapped_words.errors import DataError
from tests.helpers.fake_recordings import RATE, speech, tone, write

CLIP = speech(0)


def test_16_bit_samples_are_read_exactly(tmp_path):
    samples = np.random.default_rng(0).integers(-32768, 32768, RATE, dtype=np.int16)
    waveform = read_recording(write(tmp_path / "a.wav", samples))
    assert waveform.dtype == np.float32
    assert np.array_equal(to_int16(waveform), samples) and np.array_equal(from_int16(samples), waveform)


@pytest.mark.parametrize("extension", ["flac", "aiff", "au", "caf", "w64", "rf64", "ogg", "mp3"])
def test_formats_agree(tmp_path, extension):
    waveform = read_recording(write(tmp_path / f"a.{extension}", tone(440)))
    assert np.abs(waveform - tone(440))[1000:15000].max() < (0.05 if extension in ("ogg", "mp3") else 2**-15)


@pytest.mark.parametrize("subtype", ["FLOAT", "DOUBLE"])
def test_floating_point_audio_is_scaled_only_beyond_full_scale(tmp_path, subtype):
    quiet, loud = CLIP * 1e-5, CLIP / np.abs(CLIP).max() * 2.5
    assert np.array_equal(read_recording(write(tmp_path / "a.wav", quiet, subtype=subtype)), quiet.astype(np.float32))
    scaled = read_recording(write(tmp_path / "b.wav", loud, subtype=subtype))
    assert np.abs(scaled).max() == 1
    assert np.allclose(scaled, loud / 2.5, atol=1e-6)


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


@pytest.mark.parametrize(("length", "before"), [(1, 7999), (5000, 5500), (15_999, 0), (RATE, 0)])
def test_shorter_clips_are_padded_on_both_sides(length, before):
    fitted = fit_length(CLIP[:length])
    assert np.array_equal(fitted, np.pad(CLIP[:length], (before, RATE - length - before)))


def test_longer_clips_are_cut_to_the_loudest_window():
    rng = np.random.default_rng(0)
    clip = (rng.normal(0, 0.1, 700) * rng.uniform(0, 1, 700)).astype(np.float32)
    start = int(np.argmax([np.square(clip[i : i + 200], dtype=np.float64).sum() for i in range(501)]))
    assert 0 < start < 500 and np.array_equal(fit_length(clip, 200), clip[start : start + 200])


def test_conversion_to_int16_rounds_and_clips():
    waveform = np.array([-1.0, -1.1, 1.0, 0.49 / 32768, 0.51 / 32768, 0.5])
    assert to_int16(waveform).tolist() == [-32768, -32768, 32767, 0, 1, 16384]


def test_a_warning_about_many_recordings_is_logged_once(tmp_path, caplog):
    both = np.stack([CLIP, -CLIP], axis=1)
    paths = [write(tmp_path / f"{i}.wav", both if i != 2 else CLIP) for i in range(6)]
    list(read_clips(paths, RATE, RATE, chunk_size=2))
    (record,) = caplog.records
    assert re.fullmatch(r"\S+, \S+, \S+ and 2 more: the two channels have opposite phase .*", record.getMessage())
    caplog.clear()
    read_recording(paths[0])
    assert caplog.text.count("opposite phase") == 1  # grouping has ended
