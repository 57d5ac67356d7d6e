"""The web page through its API, and its limits."""

import re
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

pytest.importorskip("gradio", reason="the page's extra is not installed")
import httpx  # which Gradio brings
from gradio_client import Client, handle_file

from overlapped_words import load
from overlapped_words.app import model as app_model
from overlapped_words.app.model import AppModel
from overlapped_words.app.recording import results
from overlapped_words.app.server import start
from overlapped_words.errors import DataError, RunError, SettingError
from overlapped_words.messages import clock
from tests.helpers.fake_recordings import RATE, speech, write
from tests.helpers.served_app import served, settings, write_home


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = write_home(tmp_path_factory.mktemp("home"), output="set", k=[0, 2])
    (home / "broken.wav").write_text("not audio")
    (home / "big.wav").write_bytes(bytes(1_200_000))
    return home


@pytest.fixture(scope="module")
def url(home: Path) -> Iterator[str]:
    with served(home, "max_seconds=4", "max_mb=1", f"record_dir={home / 'WORDS'}") as url:
        yield url


@pytest.fixture(scope="module")
def client(url: str, tmp_path_factory: pytest.TempPathFactory) -> Client:
    return Client(url, verbose=False, download_files=str(tmp_path_factory.mktemp("downloads")))


def as_probs(label: dict) -> dict[str, float]:
    return {entry["label"]: entry["confidence"] for entry in label["value"]["confidences"]}


@pytest.mark.parametrize("name", ["clip.wav", "short.wav"])
def test_a_short_recording_gives_its_words(home, client, name):
    shown = client.predict(handle_file(home / name), api_name="/predict")
    answer, note, words, events, timeline, features, error = shown
    expected = load(home / "sweep", "cpu").presence(home / name)
    assert as_probs(words) == pytest.approx(expected.to_dict(), abs=1e-5)
    assert words["value"]["label"] == expected.idxmax()
    assert features["plot"].startswith("data:image/") and timeline["visible"] == (name == "short.wav")
    assert answer["visible"] and not note["visible"] and not events["visible"] and not error["visible"]


def test_a_long_recording_gives_its_events(home, client):
    answer, _, words, events, timeline, _, error = client.predict(handle_file(home / "talk.wav"), api_name="/predict")
    expected = load(home / "sweep", "cpu").events(home / "talk.wav")
    rows = re.findall("<td>([^<]*)</td><td>([^<]*)</td><td>([^<]*)</td>", events["value"])
    probs = [f"{100 * prob:.0f} %" for prob in expected["probability"]]
    assert rows == list(zip(map(clock, expected["start_s"]), expected["word"], probs, strict=True)) and len(rows) > 1
    assert events["value"].startswith(f"<h3>{len(rows)} words found</h3>")
    assert timeline["visible"] and not words["visible"] and not answer["visible"] and not error["visible"]


def test_a_network_without_sets_gives_shares(tmp_path):
    model = load(write_home(tmp_path) / "sweep", "cpu")
    page = AppModel(model, 60, 0.25)
    _, answer, _, words, events, timeline, *_ = results(page, lambda: page.read(str(tmp_path / "talk.flac")))
    expected = model(tmp_path / "talk.flac")
    assert words.value["label"] == expected.idxmax() and not answer.visible and not events.visible and timeline.visible
    windows, events = page.timeline(speech(1, 2.6))
    assert events.empty and np.allclose(windows, model.timeline(speech(1, 2.6), RATE), atol=1e-6)


def test_words_are_mixed_and_narrowband_audio_is_noted(home, client):
    files = [handle_file(home / name) for name in ("clip.wav", "other.flac")]
    mixture, _, _, words, _, error = client.predict(files[0], None, files[1], None, api_name="/mix")
    waveform, rate = soundfile.read(mixture)
    assert rate == RATE and waveform.shape == (RATE,) and not error["visible"]
    assert as_probs(words) == pytest.approx(load(home / "sweep", "cpu").presence(waveform, rate).to_dict(), abs=0.01)
    for word in (speech(8), np.pad(speech(10, 0.7), (2400, 2400))):
        assert np.corrcoef(waveform, word)[0, 1] > 0.6  # the mixture contains both, equally loud
    files = [handle_file(path) for path in (write(home / "phone.wav", speech(3, 0.5), 8_000), home / "clip.wav")]
    note = client.predict(*files, None, None, api_name="/mix")[2]
    assert note["visible"] and note["value"].startswith("phone.wav: narrowband audio") and "\n" not in note["value"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("broken.wav", "broken.wav: cannot be read as audio (Format not recognised.); replace it or remove it"),
        ("long.flac", "long.flac: longer than 4 seconds; use a shorter part"),
    ],
)
def test_errors_are_shown_on_the_page_without_paths_of_the_server(home, client, name, message):
    *shown, features, error = client.predict(handle_file(home / name), api_name="/predict")
    assert error["visible"] and error["value"] == message
    assert features is None and not any(box["visible"] for box in shown)
    clip = handle_file(home / "clip.wav")
    mixture, *_, error = client.predict(handle_file(home / name), clip, None, None, api_name="/mix")
    assert error["visible"] and error["value"] == message and not mixture
    *_, error = client.predict(clip, None, None, None, api_name="/mix")
    assert error["value"].startswith("record or upload at least")


def test_a_recording_is_saved_and_a_large_upload_is_an_error(home, url, client):
    assert str(home) not in httpx.get(url).text and "In WORDS" in httpx.get(url).text
    upload = handle_file(home / "other.flac")
    audio, status, error = client.predict("up", "ann", upload, api_name="/save")
    assert status == "Saved up/ann_0.wav. 1 recording of 1 word by 1 speaker." and not error["visible"] and not audio
    assert soundfile.info(home / "WORDS" / "up" / "ann_0.wav").duration == pytest.approx(0.7, abs=0.01)
    *_, error = client.predict("../up", "ann", upload, api_name="/save")
    assert error["visible"] and error["value"].startswith("word '../up': use letters")
    assert [path.name for path in home.rglob("*.wav") if "WORDS" in path.parts] == ["ann_0.wav"]
    with pytest.raises(ValueError, match="exceeds the maximum file size of 1048576 bytes"):
        client.predict(handle_file(home / "big.wav"), api_name="/predict")


@pytest.mark.parametrize(
    ("seconds", "message"),
    [(60, "longer than 2 seconds"), (0, "takes over 0 seconds to decode; convert it to 16 kHz mono")],
)
def test_decoding_stops_at_the_limits(home, monkeypatch, seconds, message):
    blocks = iter([np.zeros(RATE, np.float32)] * 1000)
    monkeypatch.setattr(app_model, "read_blocks", lambda *_: blocks)
    monkeypatch.setattr(app_model, "MAX_DECODING", seconds)
    with pytest.raises(DataError, match=message):
        AppModel(load(home / "sweep", "cpu"), 2, 0.25).read(str(home / "clip.wav"))
    assert len(list(blocks)) >= 997


def test_what_keeps_the_page_from_starting_is_named(home, tmp_path, monkeypatch):
    with pytest.raises(RunError, match="no members in it"):
        start(settings(f"run_dir={tmp_path}"), str(tmp_path))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SettingError, match=f"cannot serve at 127.0.0.1:{port} .*; give another port="):
            start(settings(f"run_dir={home / 'sweep'}", f"port={port}"), str(home))
    monkeypatch.setitem(sys.modules, "gradio", None)
    with pytest.raises(SettingError, match=re.escape("pip install -e '.[app]'")):
        start(settings(f"run_dir={home / 'sweep'}"), str(home))
