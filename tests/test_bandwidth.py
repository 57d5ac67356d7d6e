"""Telephone audio is detected by its spectrum."""

import numpy as np
import pytest
import torch
from torchaudio.functional import resample

from datamodules.bandwidth import band_power, is_narrowband
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
    # Nothing can be said about silence and low sample rates.
    assert not is_narrowband(band_power(np.zeros(RATE), RATE) + band_power(tone(440, 8_000), 8_000))


def test_blocks_add_up_to_the_recording():
    blocks = np.split(speech(0, 4), 4)
    whole = band_power(np.concatenate(blocks), RATE)
    assert sum(band_power(block, RATE) for block in blocks) == pytest.approx(whole, rel=0.05)
