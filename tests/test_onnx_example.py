"""The example that runs an ONNX file without this project: it prepares recordings as predict.py does."""

import json
import runpy
import sys
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import onnxruntime
import pytest
import soundfile

from datamodules.recordings import fit_length, read_recording
from tests.helpers.fake_recordings import tone
from tests.helpers.scripts import ROOT


class Session:
    """A session of onnxruntime that records its input and returns `outputs`."""

    outputs: ClassVar = {"probs": [1.0]}
    metadata: ClassVar = {"words": ["a"]}
    waveform: np.ndarray

    def __init__(self, *_: object, **__: object) -> None:
        metadata = {"sample_rate": 16_000, "num_samples": 16_000, **Session.metadata}
        self.custom_metadata_map = {name: json.dumps(value) for name, value in metadata.items()}

    def get_modelmeta(self) -> "Session":
        return self

    def get_outputs(self) -> list[SimpleNamespace]:
        return [SimpleNamespace(name=name) for name in Session.outputs]

    def run(self, names: list[str], inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
        (Session.waveform,) = inputs["waveforms"]
        return [np.array([Session.outputs[name]], np.float32) for name in names]


def run_example(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
    monkeypatch.setattr(onnxruntime, "InferenceSession", Session)
    monkeypatch.setattr(sys, "argv", ["onnx_words.py", *map(str, arguments)])
    runpy.run_path(str(ROOT / "examples" / "onnx_words.py"))


@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100, 48_000])
@pytest.mark.parametrize("seconds", [0.6, 1, 3])
def test_the_example_prepares_recordings_as_predict_does(tmp_path, monkeypatch, capsys, rate, seconds) -> None:
    waveform = tone(900, rate, seconds, 0.1) + tone(3_000, rate, seconds, 0.1)
    waveform[-round(0.7 * rate) :] *= 4
    path = tmp_path / "clip.wav"
    soundfile.write(path, np.stack([waveform, 0.5 * waveform], axis=1), rate)
    run_example(monkeypatch, "model.onnx", path)
    expected = fit_length(read_recording(path), 16_000)
    assert Session.waveform.dtype == np.float32 and Session.waveform.shape == (16_000,)
    np.testing.assert_allclose(Session.waveform[20:-20], expected[20:-20], atol=2e-3)
    long = "only the loudest second of 3 s is used\n" if seconds == 3 else ""
    assert capsys.readouterr().out == f"{long}a  100.0%\n"


@pytest.mark.parametrize(
    ("k", "num_words", "expected"),
    [
        ([0, 2], [0.9, 0.05, 0.05], "most likely: none of the words (0 of the words: 90.0%)"),
        ([0, 2], [0.1, 0.2, 0.7], "most likely: six, two (2 of the words: 70.0%)"),
        ([2, 2], None, "most likely: six, two (2 of the words: 100.0%)"),
    ],
)
def test_the_example_prints_the_most_likely_set_and_the_presence(
    tmp_path, monkeypatch, capsys, k, num_words, expected
) -> None:
    monkeypatch.setattr(Session, "metadata", {"words": ["one", "two", "six"], "k": k})
    outputs = {"probs": [0.1, 0.3, 0.6], "presence": [0.2, 0.8, 0.9]} | ({"num_words": num_words} if num_words else {})
    monkeypatch.setattr(Session, "outputs", outputs)
    soundfile.write(tmp_path / "clip.wav", tone(900), 16_000)
    run_example(monkeypatch, "model.onnx", tmp_path / "clip.wav")
    assert capsys.readouterr().out.splitlines() == [expected, "six  90.0%", "two  80.0%", "one  20.0%"]


def test_an_empty_recording_is_one_line(tmp_path, monkeypatch) -> None:
    soundfile.write(tmp_path / "empty.wav", np.zeros(0), 16_000)
    with pytest.raises(SystemExit, match=r"empty\.wav: contains no samples"):
        run_example(monkeypatch, "model.onnx", tmp_path / "empty.wav")
