"""The example that listens to the microphone, with a fake one."""

import runpy
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from overlapped_words import load
from overlapped_words.messages import clock
from tests.helpers.fake_recordings import talk
from tests.helpers.networks import write_network
from tests.helpers.scripts import ROOT

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
    """Run the example -> why it ended."""
    monkeypatch.setattr(sys, "argv", ["microphone.py", *map(str, arguments)])
    with pytest.raises(SystemExit) as ending:
        runpy.run_path(str(ROOT / "examples" / "microphone.py"))
    return str(ending.value)


def test_the_events_of_a_microphone_are_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", Microphone("sounddevice"))
    write_network(tmp_path, "avg", 0, output="set", k=[0, 2])
    assert listen(monkeypatch, tmp_path) == (
        "sample 0 of waveform 40 is not a finite number; correct it or leave it out"
    )
    events = load(tmp_path, "cpu").listen(talk(RATE).reshape(-1, RATE // 10), RATE)
    expected = [f"{clock(event.start_s)}  {event.word}  {100 * event.probability:.0f} %" for event in events]
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) > 1 and lines == expected[: len(lines)]  # others end with the sound
    assert "no such file or folder" in listen(monkeypatch, tmp_path / "nix")


def test_a_missing_sounddevice_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    assert "pip install -e '.[microphone]'" in listen(monkeypatch)
