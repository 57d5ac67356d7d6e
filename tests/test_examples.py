"""The example programs: ONNX without this project, and the microphone."""

import json
import runpy
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from unittest.mock import Mock

import numpy as np
import onnxruntime
import pytest

from datamodules.recordings import fit_length, read_recording
from overlapped_words import load
from overlapped_words.messages import clock
from tests.helpers.fake_recordings import talk, tone, write
from tests.helpers.networks import write_network
from tests.helpers.scripts import ROOT


def run_onnx(monkeypatch: pytest.MonkeyPatch, recording: Path, outputs: dict, **metadata: object) -> np.ndarray:
    """Run the example with a fake session of onnxruntime that returns `outputs` -> the waveform that it was given."""
    session, metadata = Mock(), {"sample_rate": 16_000, "num_samples": 16_000, **metadata}
    session.get_modelmeta().custom_metadata_map = {name: json.dumps(value) for name, value in metadata.items()}
    session.get_outputs.return_value = [SimpleNamespace(name=name) for name in outputs]
    session.run.side_effect = lambda names, inputs: [np.array([outputs[name]], np.float32) for name in names]
    monkeypatch.setattr(onnxruntime, "InferenceSession", Mock(return_value=session))
    monkeypatch.setattr(sys, "argv", ["onnx_words.py", "model.onnx", str(recording)])
    runpy.run_path(str(ROOT / "examples" / "onnx_words.py"))
    return session.run.call_args.args[1]["waveforms"][0]


@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100, 48_000])
@pytest.mark.parametrize("seconds", [0.6, 1, 3])
def test_the_example_prepares_recordings_as_predict_does(tmp_path, monkeypatch, capsys, rate, seconds) -> None:
    waveform = tone(900, rate, seconds, 0.1) + tone(3_000, rate, seconds, 0.1)
    waveform[-round(0.7 * rate) :] *= 4
    path = write(tmp_path / "clip.wav", np.stack([waveform, 0.5 * waveform], axis=1), rate)
    given = run_onnx(monkeypatch, path, {"probs": [1.0]}, words=["a"])
    expected = fit_length(read_recording(path))
    assert given.dtype == np.float32 and given.shape == (16_000,)
    np.testing.assert_allclose(given[20:-20], expected[20:-20], atol=2e-3)
    long = "only the loudest second of 3 s is used\n" if seconds == 3 else ""
    assert capsys.readouterr().out == f"{long}a  100.0%\n"


def test_the_example_prints_the_most_likely_set(tmp_path, monkeypatch, capsys) -> None:
    for k, num_words, expected in (
        ([0, 2], [0.9, 0.05, 0.05], "most likely: none of the words (0 of the words: 90.0%)"),
        ([0, 2], [0.1, 0.2, 0.7], "most likely: six, two (2 of the words: 70.0%)"),
        ([2, 2], None, "most likely: six, two (2 of the words: 100.0%)"),
    ):
        outputs = {"probs": [0.1, 0.3, 0.6], "presence": [0.2, 0.8, 0.9]}
        outputs |= {"num_words": num_words} if num_words else {}
        run_onnx(monkeypatch, write(tmp_path / "clip.wav", tone(900)), outputs, words=["one", "two", "six"], k=k)
        assert capsys.readouterr().out.splitlines() == [expected, "six  90.0%", "two  80.0%", "one  20.0%"]
    opposite = write(tmp_path / "opposite.wav", np.stack([tone(900), -tone(900)], axis=1))
    assert np.abs(run_onnx(monkeypatch, opposite, outputs, words=["one", "two", "six"])).max() > 0.1
    with pytest.raises(SystemExit, match=r"nan\.wav: has samples that are not finite"):
        path = write(tmp_path / "nan.wav", np.full(99, np.nan), subtype="FLOAT")
        run_onnx(monkeypatch, path, outputs, words=["one", "two", "six"])
    with pytest.raises(SystemExit, match=r"empty\.wav: contains no samples"):
        run_onnx(monkeypatch, write(tmp_path / "empty.wav", np.zeros(0)), outputs, words=["one", "two", "six"])


RATE = 44_100


class Microphone(ModuleType):
    """The module sounddevice: a microphone that hears `talk` and breaks."""

    PortAudioError = ConnectionError

    def query_devices(self, kind: str) -> dict[str, float]:
        return {"default_samplerate": float(RATE)}

    class InputStream:
        def __init__(self, rate: int, blocksize: int, channels: int, callback: Callable) -> None:
            self.callback, self.blocksize = callback, blocksize

        def __enter__(self) -> None:
            for block in [*talk(RATE).reshape(-1, self.blocksize), np.full(self.blocksize, np.nan)]:
                self.callback(block[:, None], self.blocksize, None, None)

        def __exit__(self, *_: object) -> None:
            pass


def listen(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> str:
    monkeypatch.setattr(sys, "argv", ["microphone.py", *map(str, arguments)])
    with pytest.raises(SystemExit) as ending:
        runpy.run_path(str(ROOT / "examples" / "microphone.py"))
    return str(ending.value)


def test_the_events_of_a_microphone_are_printed(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", Microphone("sounddevice"))
    write_network(tmp_path, "avg", 0, output="set", k=[0, 2])
    assert listen(monkeypatch, tmp_path).startswith("sample 0 of waveform 40 is not a finite number; correct it or")
    events = load(tmp_path, "cpu").listen(talk(RATE).reshape(-1, RATE // 10), RATE)
    expected = [f"{clock(event.start_s)}  {event.word}  {100 * event.probability:.0f} %" for event in events]
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) > 1 and lines == expected[: len(lines)]  # others end with the sound
    assert "no such file or folder" in listen(monkeypatch, tmp_path / "nix")
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    assert "pip install -e '.[microphone]'" in listen(monkeypatch)
