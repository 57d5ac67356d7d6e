"""Attacks on the page: other websites, addresses that the server would fetch, files of the server, endless sound."""

import socket
import tracemalloc
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
import soundfile

pytest.importorskip("gradio", reason="the page's extra is not installed")
import httpx  # which Gradio brings
import safehttpx
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient

from overlapped_words.app.guard import Guard
from overlapped_words.app.live import Stream
from overlapped_words.errors import DataError
from tests.helpers.fake_recordings import RATE
from tests.helpers.served_app import served, write_home


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_home(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def url(home: Path) -> Iterator[str]:
    with served(home, f"record_dir={home / 'WORDS'}") as url:
        yield url


@pytest.fixture
def victim(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, list[str]]]:
    """A server that the page must not contact, although it counts as a public one: its address, and its requests."""
    requests: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            requests.append(self.path)
            self.send_error(404)

    monkeypatch.setattr(safehttpx, "is_public_ip", lambda address: True)
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/secret.wav", requests
        server.shutdown()


def predict(url: str, upload: dict) -> str:
    """Call the function of the tab Recording in each of the three ways -> what the server answered."""
    upload |= {"meta": {"_type": "gradio.FileData"}}
    answers = [httpx.post(f"{url}gradio_api/run/predict", json={"data": [upload]}, timeout=60).text]
    for join, read in (("call/predict", "call/predict/{event_id}"), ("queue/join", "queue/data?session_hash=s")):
        body = {"data": [upload], "fn_index": 0, "session_hash": "s"}
        event = httpx.post(f"{url}gradio_api/{join}", json=body).json()
        answers.append(httpx.get(f"{url}gradio_api/{read.format(**event)}", timeout=60).text)
    return "\n".join(answers)


def test_no_url_is_fetched(url: str, victim: tuple[str, list[str]]) -> None:
    address, requests = victim
    for path in (f"file={address}", f"file/{address}", f"proxy={address}"):
        assert httpx.get(f"{url}gradio_api/{path}").status_code in (400, 403, 404)
    for upload in ({"path": address}, {"path": "a.wav", "url": address}, {"path": address, "is_stream": True}):
        assert "confidences" not in predict(url, upload)
    assert requests == []


@pytest.mark.parametrize("path", ["/etc/passwd", "{home}/sweep/avg_seed0/checkpoints/last.ckpt", "{home}/clip.wav"])
def test_no_file_of_the_server_is_reachable(home: Path, url: str, path: str) -> None:
    path = path.format(home=home)
    for address in (f"gradio_api/file={path}", f"file={path}", f"gradio_api/file=../../../../../../..{path}"):
        assert httpx.get(url + address).status_code in (403, 404)
    answer = predict(url, {"path": path})
    assert "confidences" not in answer and "cannot be read" not in answer


def test_another_website_can_neither_read_nor_record(home: Path, url: str) -> None:
    body = {"data": ["up", "ann", None]}
    for headers in ({"Host": "evil.example"}, {"Origin": "http://evil.example"}, {"Origin": "null"}):
        assert httpx.get(url, headers=headers).status_code == 403
        assert httpx.post(f"{url}gradio_api/call/save", json=body, headers=headers).status_code == 403
    for headers in ({"Origin": url.rstrip("/")}, {"Host": url.split("/")[2].replace("127.0.0.1", "localhost")}):
        assert httpx.post(f"{url}gradio_api/call/save", json=body, headers=headers).status_code == 200
    assert not (home / "WORDS").exists()


def test_hosts_and_origins() -> None:
    for served_at, host, origin, status in (
        ("127.0.0.1", "LOCALHOST:7860", "http://LOCALHOST:7860", 200),
        ("127.0.0.1", "[::1]:7860", None, 200),
        ("127.0.0.1", "localhost:7860", "http://localhost:3000", 403),
        ("127.0.0.1", "192.0.2.1:7860", None, 403),
        ("127.0.0.1", "[", None, 403),
        ("127.0.0.1", "", None, 403),
        ("127.0.0.1", "localhost:7860", "http://[", 403),
        ("0.0.0.0", "192.0.2.1:7860", "http://192.0.2.1:7860", 200),
        ("0.0.0.0", "[fe80::1]:7860", None, 200),
        ("0.0.0.0", f"{socket.gethostname()}:7860", None, 200),
        ("0.0.0.0", "1.2.3.4.evil.example", "http://1.2.3.4.evil.example", 403),
        ("words.example", "words.example:7860", None, 200),
        ("127.0.0.1", "Proxy.example", "https://proxy.example", 200),
        ("127.0.0.1", "127.0.0.1:7860", "https://proxy.example", 200),  # a proxy that sets the header Host
        ("127.0.0.1", "127.0.0.1:7860", "https://proxy.example.evil.example", 403),
    ):
        page = TestClient(Guard(PlainTextResponse("page"), served_at, ["proxy.example"]))
        response = page.get("/", headers={"Host": host} | ({"Origin": origin} if origin else {}))
        assert response.status_code == status and response.headers["content-security-policy"].startswith("default-src")


def test_long_live_sound_is_not_decoded(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "long.flac", np.zeros((600 * RATE, 8), np.int16), RATE)  # tens of kB, 300 MB decoded
    tracemalloc.start()
    with pytest.raises(DataError, match="up to 10 seconds"):
        Stream().add(tmp_path / "long.flac")
    assert tracemalloc.get_traced_memory()[1] < 1e7
    tracemalloc.stop()
