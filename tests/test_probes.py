"""The waveforms that an export is compared with."""

from pathlib import Path

import numpy as np

from overlapped_words.export.probes import probe_waveforms
from tests.helpers.fake_recordings import write_word_folder


def test_waveforms_have_16_bits_as_recordings_have_and_words_if_the_cache_has_them(tmp_path: Path) -> None:
    waveforms = probe_waveforms(16_000, 16_000, tmp_path)
    assert list(waveforms) == ["noise", "chirp", "quiet noise", "quiet chirp", "silence"]
    for waveform in waveforms.values():
        assert waveform.shape == (16_000,) and waveform.dtype == np.float32
        assert np.abs(waveform).max() < 1 and np.array_equal(waveform * 32768, np.round(waveform * 32768))
    assert not waveforms["silence"].any()
    assert 0 < np.abs(waveforms["quiet chirp"]).max() < 0.05 * np.abs(waveforms["chirp"]).max()
    write_word_folder(tmp_path / "synthetic-0123")  # as in the cache
    waveforms = probe_waveforms(16_000, 16_000, tmp_path)
    assert [name for name in waveforms if name.startswith("speech")] == [f"speech {i}" for i in range(4)]
    assert len({waveform.tobytes() for waveform in waveforms.values()}) == len(waveforms) == 13
