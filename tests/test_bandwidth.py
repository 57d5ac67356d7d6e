"""Telephone audio is detected by its spectrum."""

import numpy as np
import pytest
import torch
from torchaudio.functional import resample

from datamodules.audio_files import list_recordings
from datamodules.bandwidth import band_power, is_narrowband
from datamodules.recordings import read_clips
from tests.helpers.fake_recordings import RATE, speech, tone


def narrow(waveform: np.ndarray) -> np.ndarray:
    """The waveform resampled to 8 kHz and back, rounded to 16 bits."""
    low = resample(torch.from_numpy(waveform), RATE, 8_000, lowpass_filter_width=32)
    return np.round(resample(low, 8_000, RATE, lowpass_filter_width=32).numpy() * 32768) / 32768


@pytest.mark.parametrize("seconds", [0.5, 3])
def test_audio_without_high_frequencies_is_narrowband(seconds):
    waveform = speech(0, seconds)
    assert not is_narrowband(band_power(waveform, RATE))
    assert is_narrowband(band_power(narrow(waveform), RATE))


def test_silence_and_low_sample_rates_are_not_narrowband():
    assert not is_narrowband(band_power(np.zeros(RATE), RATE))
    assert not is_narrowband(band_power(tone(440, 8_000), 8_000))


def test_blocks_add_up_to_the_recording():
    blocks = np.split(speech(0, 4), 4)
    whole = band_power(np.concatenate(blocks), RATE)
    assert sum(band_power(block, RATE) for block in blocks) == pytest.approx(whole, rel=0.05)


def test_real_recordings_are_wideband_before_resampling_to_8_khz(overlap30):
    (clips,) = read_clips(list_recordings(overlap30 / "Data/test")[:40], RATE, RATE)
    assert not any(is_narrowband(band_power(clip / 32768, RATE)) for clip in clips)
    assert sum(is_narrowband(band_power(narrow(clip / 32768), RATE)) for clip in clips) >= 36
