"""A clip's audio, waveform and features as parts of a page."""

import io
from base64 import b64decode

import numpy as np
import soundfile
from matplotlib.image import imread

from datamodules.features import MultiResolutionMel
from overlapped_words.report.audio import encode


def test_encoded_audio_keeps_the_samples_and_shows_the_shortest_and_longest_window():
    waveform = (8000 * np.sin(np.arange(16_000) / 9)).astype(np.int16)
    waveform[8000:] = 0
    audio = encode(waveform, MultiResolutionMel(n_mels=48))
    mime_type, data = audio.flac.split(";base64,")
    samples, rate = soundfile.read(io.BytesIO(b64decode(data)), dtype="int16")
    assert mime_type == "data:audio/flac" and rate == 16_000 and (samples == waveform).all()
    mime_type, data = audio.features.split(";base64,")
    image = imread(io.BytesIO(b64decode(data)), format="webp")
    assert mime_type == "data:image/webp" and image.shape[:2] == (48, 2 * 160)
    points = [point.split(",") for point in audio.waveform.strip("MZ").split("L")]
    heights = [float(y) for _, y in points]
    assert len(points) == 400 and min(heights) == 0 and max(heights) == 2  # the peak fills the box
    assert heights[150:250] == [1.0] * 100  # silence is the center line


def test_silence_is_a_line():
    audio = encode(np.zeros(16_000, np.int16), MultiResolutionMel(n_mels=48))
    assert set(audio.waveform.replace("L", " ").strip("MZ").split(" ")) == {f"{x},1.000" for x in range(200)}
