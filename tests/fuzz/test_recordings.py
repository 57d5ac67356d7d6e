"""Recordings of which some bytes are others."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datamodules.recordings import read_blocks, read_recording
from overlapped_words.errors import UserError
from tests.fuzz.damage import damaged
from tests.helpers.fake_recordings import encode, speech

FORMATS = {".wav": "WAV", ".flac": "FLAC", ".ogg": "OGG", ".mp3": "MP3", ".aiff": "AIFF"}


CLIPS = [np.stack([speech(i, 0.1, 8000) for i in range(channels)], axis=1) for channels in (1, 2)]
CONTENTS = {suffix: [encode(clip, kind, 8000) for clip in CLIPS] for suffix, kind in FORMATS.items()}
CONTENTS[".mp3"] += [content[content.index(content[:2], 4) :] for content in CONTENTS[".mp3"]]  # without a frame count
MOST = 60 * 16_000  # samples: a header of a few bytes may claim hours


@pytest.mark.parametrize("suffix", FORMATS)
@given(data=st.data())
def test_a_recording_is_read_or_an_error(tmp_path_factory, suffix: str, data: st.DataObject):
    content = data.draw(st.sampled_from(CONTENTS[suffix]).flatmap(damaged))
    path = tmp_path_factory.getbasetemp() / f"recording{suffix}"
    path.write_bytes(content)
    try:
        waveform = read_recording(path)
        blocks = np.concatenate(list(read_blocks(path)))
    except UserError as error:
        assert str(path) in str(error)
    else:
        for samples in (waveform, blocks):
            assert samples.ndim == 1 and samples.dtype == np.float32 and np.isfinite(samples).all()
            assert 0 < len(samples) < MOST
    assert path.read_bytes() == content
