"""Waveforms to compare two implementations of the same network with."""

from pathlib import Path

import numpy as np

from datamodules.recordings import fit_length, read_recording
from datamodules.waveforms import from_int16, to_int16

NUM_WORDS = 12  # at most; three are mixed into a waveform


def probe_waveforms(sample_rate: int, num_samples: int, cache_dir: Path) -> dict[str, np.ndarray]:
    """Names -> `(num_samples,)` float32 in [-1, 1]: noise, a chirp, silence, and words if `cache_dir` contains them.

    Each is loud and quiet, and rounded to 16 bits as recordings are. All but silence contain the faint noise of a
    microphone: float32 cannot resolve what lies 120 dB below a pure tone, and two correct implementations differ there.
    """
    rng = np.random.default_rng(0)
    t = np.arange(num_samples) / sample_rate
    waveforms = {
        "noise": 0.1 * rng.standard_normal(num_samples),
        "chirp": 0.5 * np.sin(2 * np.pi * (100 * t + 0.2 * sample_rate * t**2)) * np.hanning(num_samples),
    }
    words = sorted(cache_dir.expanduser().glob("synthetic-*/*/*.wav"))
    words = words[:: max(1, len(words) // NUM_WORDS)][:NUM_WORDS]
    clips = [fit_length(read_recording(word, sample_rate), num_samples) for word in words]
    for i in range(0, len(clips) - 2, 3):
        waveforms[f"speech {i // 3}"] = np.mean(clips[i : i + 3], axis=0)
    waveforms |= {f"quiet {name}": 0.01 * waveform for name, waveform in waveforms.items()}
    waveforms = {name: waveform + 1e-3 * rng.standard_normal(num_samples) for name, waveform in waveforms.items()}
    waveforms["silence"] = np.zeros(num_samples)
    return {name: from_int16(to_int16(waveform)) for name, waveform in waveforms.items()}
