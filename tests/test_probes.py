"""The sounds that an export is compared on."""

from pathlib import Path

import numpy as np

from inference.probes import probe_waveforms
from tests.helpers.fake_recordings import write_word_folder


def test_sounds_are_what_recordings_are(tmp_path: Path) -> None:
    sounds = probe_waveforms(16_000, 16_000, tmp_path)
    assert list(sounds) == ["noise", "chirp", "quiet noise", "quiet chirp", "silence"]
    for sound in sounds.values():
        assert sound.shape == (16_000,) and sound.dtype == np.float32
        assert np.abs(sound).max() < 1 and np.array_equal(sound * 32768, np.round(sound * 32768))
    assert not sounds["silence"].any()
    assert 0 < np.abs(sounds["quiet chirp"]).max() < 0.05 * np.abs(sounds["chirp"]).max()


def test_spoken_words_are_taken_from_the_cache(tmp_path: Path) -> None:
    write_word_folder(tmp_path / "synthetic-0123")
    sounds = probe_waveforms(16_000, 16_000, tmp_path)
    assert [name for name in sounds if name.startswith("speech")] == [f"speech {i}" for i in range(4)]
    assert len({sound.tobytes() for sound in sounds.values()}) == len(sounds) == 13
