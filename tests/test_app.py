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
from gradio_client import Client, handle_file

from overlapped_words import load
from overlapped_words.app import model as app_model
from overlapped_words.app.model import AppModel
from overlapped_words.app.page import training_data
from overlapped_words.app.server import start
from overlapped_words.errors import DataError, RunError, SettingError
from overlapped_words.inference.prediction import PredictedSets, Prediction
from tests.helpers.fake_recordings import RATE, speech
from tests.helpers.served_app import served, settings, write_home


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a sweep of one member, `sweep`, and recordings."""
    home = write_home(tmp_path_factory.mktemp("home"))
    (home / "broken.wav").write_text("not audio")
    (home / "big.wav").write_bytes(bytes(1_200_000))
    return home


@pytest.fixture(scope="module")
def url(home: Path) -> Iterator[str]:
    """The URL of the page."""
    with served(home, "max_seconds=4", "max_mb=1") as url:
        yield url


@pytest.fixture(scope="module")
def client(url: str, tmp_path_factory: pytest.TempPathFactory) -> Client:
    return Client(url, verbose=False, download_files=str(tmp_path_factory.mktemp("downloads")))


def as_probs(label: dict) -> dict[str, float]:
    return {entry["label"]: entry["confidence"] for entry in label["confidences"]}


@pytest.mark.parametrize("name", ["clip.wav", "talk.flac"])
def test_a_recording_gives_its_words(home, client, name):
    answer, note, words, timeline, features, error = client.predict(handle_file(home / name), api_name="/predict")
    expected = load(home / "sweep", "cpu")(home / name)
    assert as_probs(words) == pytest.approx(expected.to_dict(), abs=1e-5) and words["label"] == expected.idxmax()
    assert features["plot"].startswith("data:image/") and timeline["visible"] == (name == "talk.flac")
    assert not note["visible"] and not error["visible"]
    assert not answer["visible"]  # the network predicts no sets of words


def test_words_are_mixed(home, client):
    files = [handle_file(home / name) for name in ("clip.wav", "other.flac")]
    mixture, _, _, words, _, error = client.predict(files[0], None, files[1], None, api_name="/mix")
    waveform, rate = soundfile.read(mixture)
    assert rate == RATE and waveform.shape == (RATE,) and not error["visible"]
    assert as_probs(words) == pytest.approx(load(home / "sweep", "cpu")(waveform, rate).to_dict(), abs=0.01)
    padded = np.pad(speech(10, 0.7), (2400, 2400))
    correlations = [np.corrcoef(waveform, word)[0, 1] for word in (speech(8), padded)]
    assert min(correlations) > 0.6  # the mixture contains both, equally loud


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("broken.wav", "broken.wav: cannot be read as audio (Format not recognised.); replace it or remove it"),
        ("long.flac", "long.flac: longer than 4 seconds; use a shorter part"),
    ],
)
def test_errors_are_shown_on_the_page_without_paths_of_the_server(home, client, name, message):
    answer, _, words, timeline, features, error = client.predict(handle_file(home / name), api_name="/predict")
    assert error["visible"] and error["value"] == message
    assert not words and features is None and not timeline["visible"] and not answer["visible"]
    files = [handle_file(home / name), handle_file(home / "clip.wav")]
    mixture, _, _, words, features, error = client.predict(*files, None, None, api_name="/mix")
    assert error["visible"] and error["value"] == message and not any((mixture, words, features))
    assert client.predict(files[1], None, None, None, api_name="/mix")[-1]["value"].startswith(
        "record or upload at least"
    )


def test_narrowband_audio_is_noted(home, client):
    soundfile.write(home / "phone.wav", speech(3, 0.5), 8_000)
    files = [handle_file(home / name) for name in ("phone.wav", "clip.wav")]
    notes = [client.predict(files[0], api_name="/predict")[1], client.predict(*files, None, None, api_name="/mix")[2]]
    for note in notes:
        assert note["visible"] and note["value"].startswith("phone.wav: narrowband audio") and "\n" not in note["value"]


def test_a_large_upload_is_an_error(home, client):
    with pytest.raises(ValueError, match="exceeds the maximum file size of 1048576 bytes"):
        client.predict(handle_file(home / "big.wav"), api_name="/predict")


def test_without_a_folder_the_page_says_which_setting_to_give(url, client):
    assert "start `app.py` with `record_dir=WORDS`" in str(client.config)
    with pytest.raises(ValueError, match="Cannot find a function with `api_name`: /save"):
        client.predict("up", "ann", None, api_name="/save")


def test_a_recording_that_is_too_long_is_not_decoded(home, tmp_path, monkeypatch):
    with soundfile.SoundFile(tmp_path / "hour.flac", "w", RATE, 1) as file:
        for _ in range(60):
            file.write(np.zeros(60 * RATE, np.int16))
    page = AppModel(load(home / "sweep", "cpu"), 60, 0.25)
    monkeypatch.setattr(app_model, "read_blocks", lambda *_: pytest.fail("decoded"))
    with pytest.raises(DataError, match=r"^hour\.flac: longer than 60 seconds"):
        page.read(str(tmp_path / "hour.flac"))


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"read_header": lambda path: None}, "longer than 2 seconds"),  # no header, or a wrong one
        ({"MAX_DECODING": 0.0}, "takes over 0 seconds to decode; convert it to 16 kHz mono"),
    ],
)
def test_decoding_stops_at_the_limits(home, monkeypatch, setting, message):
    blocks = iter([np.zeros(RATE, np.float32)] * 1000)
    monkeypatch.setattr(app_model, "read_blocks", lambda *_: blocks)
    for name, value in setting.items():
        monkeypatch.setattr(app_model, name, value)
    with pytest.raises(DataError, match=message):
        AppModel(load(home / "sweep", "cpu"), 2, 0.25).read(str(home / "clip.wav"))
    assert len(list(blocks)) >= 997


def test_no_shares_are_shown_where_no_word_is_the_most_likely_answer(home):
    page = AppModel(load(home / "sweep", "cpu"), 60, 0.25)
    probs = np.full((1, 4), 0.25, np.float32)
    for words in (np.array([[True, False, False, True]]), np.zeros((1, 4), bool)):
        sets = PredictedSets(0, np.array([[0.7, 0.1, 0.2]]), words, np.array([0.5]))
        shares, answer = page.shares(Prediction(probs, sets)), page.answer(Prediction(probs, sets))
        assert (answer, bool(shares)) == (("yes, up" if words.any() else "none of the words") + " (50.0%)", words.any())


@pytest.mark.parametrize(
    ("config", "text"),
    [
        ({}, ""),
        (
            {"data": {"source": {"_target_": "datamodules.sources.WordFolder"}, "root": "/home/ann/WORDS"}},
            "single words in WORDS",
        ),
        ({"data": {"source": {"_target_": "sources.Synthetic"}}}, "eSpeak NG"),
    ],
)
def test_the_page_states_the_training_data(config, text):
    assert training_data(config).endswith(text)


def test_a_port_in_use_is_named(home):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SettingError, match=f"cannot serve at 127.0.0.1:{port} .*; give another port="):
            start(settings(f"run_dir={home / 'sweep'}", f"port={port}"), str(home))


def test_a_missing_extra_is_named(home, monkeypatch):
    monkeypatch.setitem(sys.modules, "gradio", None)
    with pytest.raises(SettingError, match=re.escape("pip install -e '.[app]'")):
        start(settings(f"run_dir={home / 'sweep'}"), str(home))


def test_a_folder_without_a_run_is_an_error(tmp_path):
    with pytest.raises(RunError, match="no members in it"):
        start(settings(f"run_dir={tmp_path}"), str(tmp_path))
    assert settings().run_dir is None  # the network that comes with the project
