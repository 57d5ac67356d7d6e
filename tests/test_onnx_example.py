"""The example that runs an ONNX file without this project: it prepares recordings as predict.py does."""

import runpy
import sys

import numpy as np
import onnxruntime
import pytest
import soundfile

from datamodules.recordings import fit_length, read_recording
from tests.helpers.fake_recordings import tone
from tests.helpers.scripts import ROOT


class Session:
    """A session of onnxruntime that records its input."""

    waveform: np.ndarray

    def __init__(self, *_: object, **__: object) -> None:
        self.custom_metadata_map = {"words": '["a"]', "sample_rate": "16000", "num_samples": "16000"}

    def get_modelmeta(self) -> "Session":
        return self

    def run(self, _: list[str], inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
        (Session.waveform,) = inputs["waveforms"]
        return [np.ones((1, 1), np.float32)]


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
    assert capsys.readouterr().out == "a  100.0%\n"


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], "usage: python onnx_words.py MODEL.onnx RECORDING"),
        (["nix.wav"], "Error opening .*nix.wav'.* give a recording such as WAV"),
        (["empty.wav"], "empty.wav: contains no samples"),
    ],
)
def test_errors_of_the_example_are_one_line(tmp_path, monkeypatch, names, message) -> None:
    soundfile.write(tmp_path / "empty.wav", np.zeros(0), 16_000)
    with pytest.raises(SystemExit, match=message):
        run_example(monkeypatch, "model.onnx", *(tmp_path / name for name in names))
