"""A clip's sound, waveform and features as parts of a page."""

import io
from base64 import b64decode

import numpy as np
import soundfile
from matplotlib.image import imread

from datamodules.features import MultiResolutionMel
from reporting.audio import encode


def test_a_clip_keeps_its_samples_and_shows_its_two_extreme_windows():
    waveform = (8000 * np.sin(np.arange(16_000) / 9)).astype(np.int16)
    waveform[8000:] = 0
    sound = encode(waveform, MultiResolutionMel(n_mels=48))
    kind, data = sound.audio.split(";base64,")
    samples, rate = soundfile.read(io.BytesIO(b64decode(data)), dtype="int16")
    assert kind == "data:audio/flac" and rate == 16_000 and (samples == waveform).all()
    kind, data = sound.picture.split(";base64,")
    picture = imread(io.BytesIO(b64decode(data)), format="webp")
    assert kind == "data:image/webp" and picture.shape[:2] == (48, 2 * 160)
    points = [point.split(",") for point in sound.wave.strip("MZ").split("L")]
    heights = [float(y) for _, y in points]
    assert len(points) == 400 and min(heights) == 0 and max(heights) == 2  # the loudest sample fills the box
    assert heights[150:250] == [1.0] * 100  # silence is its middle


def test_silence_is_a_line():
    sound = encode(np.zeros(16_000, np.int16), MultiResolutionMel(n_mels=48))
    assert set(sound.wave.replace("L", " ").strip("MZ").split(" ")) == {f"{x},1.000" for x in range(200)}
