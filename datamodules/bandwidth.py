"""Detect narrowband recordings, such as telephone audio with nothing above 4 kHz."""

import numpy as np

from datamodules.recordings import log
from overlapped_words.messages import printable

FRAME = 512
LOW, HIGH = (100, 3_600), (5_000, 7_500)  # Hz; resampling from 8 to 16 kHz leaves some power up to 5 kHz
# Power in HIGH relative to LOW: the lowest of 8,969 recordings at 16 kHz (overlap30, gsc30) is -68 dB. Of 598 that were
# resampled to 8 kHz and back with a long filter, 91 % are below -70 dB.
NARROW = 1e-7
NARROWBAND = (
    "%s: narrowband audio, sampled below the model's rate or of telephone quality (nothing above 4 kHz); "
    "the model was trained on wideband audio and may be less accurate"
)


def band_power(waveform: np.ndarray, sample_rate: int) -> np.ndarray:
    """`(T,)` -> `(2,)`: power density in the bands LOW and HIGH, summed over frames, so that blocks add up.

    Zeros if the sample rate is too low for these bands.
    """
    if sample_rate < 2 * HIGH[1]:
        return np.zeros(2)
    padded = np.pad(waveform, (0, max(0, FRAME - len(waveform))))
    frames = np.lib.stride_tricks.sliding_window_view(padded, FRAME)[:: FRAME // 2]
    power = np.square(np.abs(np.fft.rfft(frames * np.hanning(FRAME)))).sum(axis=0)
    hertz = np.fft.rfftfreq(FRAME, 1 / sample_rate)
    return np.array([power[(hertz >= first) & (hertz < last)].mean() for first, last in (LOW, HIGH)])


def is_narrowband(power: np.ndarray) -> bool:
    """Whether a recording with this `band_power` is not silent, but has almost no power in the upper band."""
    low, high = power
    return bool(high < NARROW * low)


def warn_if_narrowband(name: str, power: np.ndarray, rate: int, sample_rate: int) -> None:
    """Warn if a recording at `rate` Hz with this `band_power` is narrowband for a model at `sample_rate` Hz."""
    if rate < sample_rate or is_narrowband(power):
        log.warning(NARROWBAND, printable(name))
