"""Sounds to compare two implementations of the same network on."""

from pathlib import Path

import numpy as np

from datamodules.recordings import fit_length, read_recording
from datamodules.waveforms import from_int16, to_int16

NUM_SPEECH = 12  # spoken words at most, read as mixtures of three


def probe_waveforms(sample_rate: int, num_samples: int, cache_dir: Path) -> dict[str, np.ndarray]:
    """Names -> `(num_samples,)` float32 in [-1, 1]: noise, a chirp, spoken words where `cache_dir` has them; silence.

    Each loud and quiet, in 16 bits as recordings are, and all but silence with the faint noise of a microphone: what
    lies 120 dB below a pure tone is beyond float32 itself, and two correct implementations differ there.
    """
    rng = np.random.default_rng(0)
    t = np.arange(num_samples) / sample_rate
    sounds = {
        "noise": 0.1 * rng.standard_normal(num_samples),
        "chirp": 0.5 * np.sin(2 * np.pi * (100 * t + 0.2 * sample_rate * t**2)) * np.hanning(num_samples),
    }
    words = sorted(cache_dir.expanduser().glob("synthetic-*/*/*.wav"))
    words = words[:: max(1, len(words) // NUM_SPEECH)][:NUM_SPEECH]
    clips = [fit_length(read_recording(word, sample_rate), num_samples) for word in words]
    for i in range(0, len(clips) - 2, 3):
        sounds[f"speech {i // 3}"] = np.mean(clips[i : i + 3], axis=0)
    sounds |= {f"quiet {name}": 0.01 * sound for name, sound in sounds.items()}
    sounds = {name: sound + 1e-3 * rng.standard_normal(num_samples) for name, sound in sounds.items()}
    sounds["silence"] = np.zeros(num_samples)
    return {name: from_int16(to_int16(sound)) for name, sound in sounds.items()}
