"""The page of export.py format=web in a browser: predict.py's words and events, and no request to another server."""

import functools
import json
import re
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pytest

from overlapped_words import load
from overlapped_words.export.export import export
from overlapped_words.messages import clock
from tests.helpers.browsers import needs_chromium, open_page, serious_violations
from tests.helpers.composed import settings_of
from tests.helpers.fake_members import WORDS
from tests.helpers.fake_recordings import speech, talk, write
from tests.helpers.networks import write_network
from tests.helpers.runtime import ARCHIVE, needs_runtime

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [needs_chromium, needs_runtime]

TOLERANCE = 1e-3  # in probability
LOSSY = 1e-2  # of formats that every decoder decodes to slightly different samples
RECORDINGS = {  # name -> sample rate, seconds, channels relative to the first, options of soundfile
    "clip.wav": (16_000, 1.0, [1], {}),
    "short.wav": (16_000, 0.5601, [1], {}),
    "stereo.wav": (44_100, 1.9, [1, 0.5], {"subtype": "PCM_24"}),
    "opposite.wav": (22_050, 1.5, [0.7, -1], {}),
    "loud.wav": (48_000, 1.5, [4], {"subtype": "FLOAT"}),
    "telephone.wav": (8_000, 1.5, [1], {"subtype": "ULAW"}),
    "talk.flac": (11_025, 1.8, [1], {}),
    "talk.mp3": (48_000, 1.8, [1], {}),
    "talk.opus": (48_000, 1.8, [1], {"format": "OGG", "subtype": "OPUS"}),
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a sweep of one member, `sweep`, its exported page, `site`, and recordings."""
    home = tmp_path_factory.mktemp("home")
    write_network(home / "sweep", "avg", 0, output="set", k=[0, 2])
    for seed, (name, (rate, seconds, channels, options)) in enumerate(RECORDINGS.items()):
        write(home / name, np.outer(speech(seed, seconds * rate / 16_000), channels), rate, **options)
    write(home / "talk.wav", talk(48_000), 48_000)  # what the microphone hears
    write(home / "events.wav", talk(44_100), 44_100)
    (home / "broken.wav").write_text("not audio")
    for name in ("stereo.wav", "talk.flac"):
        content = (home / name).read_bytes()
        (home / f"half of {name}").write_bytes(content[: len(content) // 2])
    paths = f"run_dir={home / 'sweep'}", f"output={home / 'site'}", f"cache_dir={ARCHIVE.parent}"
    export(settings_of("export", "format=web", *paths))
    return home


class PlainServer(SimpleHTTPRequestHandler):
    """A server that knows few extensions, as nginx does by default."""

    extensions_map: ClassVar = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", "": "text/plain"}


@pytest.fixture(scope="module")
def url(home: Path) -> Iterator[str]:
    handler = functools.partial(PlainServer, directory=home / "site")
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture
def console() -> list[str]:
    """What the page wrote to the browser's console; a test that expects messages clears it."""
    return []


@pytest.fixture
def page(home: Path, url: str, console: list[str]) -> Iterator["Page"]:
    """The page in a browser with a microphone. Fails if the page contacts another host or logs an error."""
    with open_page(url, home / "talk.wav", width=390, height=844) as page:
        page.on("console", lambda message: console.append(message.text))
        page.on("pageerror", lambda error: console.append(str(error)))
        page.goto(url)
        page.get_by_text("Ready.").wait_for()
        yield page
        assert console == []


def shown(page: "Page") -> list[tuple[str, str, float]]:
    cells = "all => all.map(li => [0, 1, 3].map(i => li.children[i].value ?? li.children[i].textContent))"
    rows = page.locator("li").evaluate_all(cells)
    return [(time, word, float(value)) for time, word, value in rows]


def expected_events(home: Path, recording: Path) -> list[tuple[str, str, float]]:
    """The rows for the events of the Python API, the newest one first."""
    events = load(home / "sweep", "cpu").events(recording).itertuples()
    return [(clock(e.start_s + 1e-6), e.word, pytest.approx(e.probability, abs=TOLERANCE)) for e in events][::-1]


def open_file(page: "Page", path: Path) -> dict[str, float]:
    page.locator("#file").set_input_files(path)
    page.get_by_text(f"Words in the loudest second of {path.name}").wait_for()
    return {word: value for _, word, value in shown(page)}


def test_the_page_gives_the_probabilities_and_the_number_of_words_of_predict(home: Path, page: "Page") -> None:
    model = load(home / "sweep", "cpu")
    probs = {name: open_file(page, home / name) for name in RECORDINGS}
    for name, words in probs.items():
        tolerance = TOLERANCE if name.endswith((".wav", ".flac")) else LOSSY
        assert words == pytest.approx(model.presence(home / name).to_dict(), abs=tolerance), name
        assert list(words.values()) == sorted(words.values(), reverse=True)
    assert probs["clip.wav"] != pytest.approx(probs["talk.flac"], abs=10 * TOLERANCE)
    open_file(page, home / "clip.wav")
    numbers = model.word_sets(home / "clip.wav")[["num_words_0", "num_words_1", "num_words_2"]].astype(float).to_numpy()
    text = ("None of the words", "One word", "2 words")[numbers.argmax()]
    assert page.get_by_role("status").text_content().startswith(f"{text} ({numbers.max():.1%})")
    assert page.locator("#origin").text_content().startswith("1 network, overlapped-words")  # no recipe is known


def test_a_recording_and_the_microphone_give_the_events_of_predict(home: Path, page: "Page", tmp_path: Path) -> None:
    page.locator("#file").set_input_files(home / "events.wav")
    page.get_by_text("words found").wait_for()
    assert shown(page) == expected_events(home, home / "events.wav") and len(shown(page)) > 1
    assert page.locator("#name").text_content() == "Words in events.wav"
    assert page.locator("#player").is_visible() and page.locator("#save").is_hidden()
    page.reload()
    page.get_by_text("Ready.").wait_for()
    page.get_by_role("button", name="Record", exact=True).press("Enter")
    page.get_by_text("until 0:03").wait_for()
    assert page.locator("li").count() > 0  # events are shown while the microphone listens
    page.get_by_role("button", name="Stop").press("Enter")
    page.get_by_text(re.compile(r"\d words? found")).wait_for()
    with page.expect_download() as download:
        page.get_by_role("link", name="Save the recording").click()
    download.value.save_as(tmp_path / "recording.wav")
    assert shown(page) == expected_events(home, tmp_path / "recording.wav")
    assert page.get_by_role("button", name="Record", exact=True).is_enabled()


def test_a_network_without_a_rule_gives_the_words_of_the_loudest_second(home: Path, page: "Page") -> None:
    model = json.loads((home / "site" / "model.json").read_text()) | {"events": None}
    page.route("**/model.json", lambda route: route.fulfill(json=model))
    page.reload()
    page.get_by_text("Ready.").wait_for()
    assert "listens to the loudest second" in page.locator("#about").text_content()
    expected = load(home / "sweep", "cpu").presence(home / "events.wav")
    assert open_file(page, home / "events.wav") == pytest.approx(expected.to_dict(), abs=TOLERANCE)


def test_an_error_is_shown_and_replaces_an_older_result(home: Path, page: "Page") -> None:
    open_file(page, home / "clip.wav")
    page.locator("#file").set_input_files(home / "broken.wav")
    page.get_by_text("broken.wav: the browser cannot decode it; give a recording such as WAV").wait_for()
    assert page.locator("#result").is_hidden()
    for name in ("half of stereo.wav", "half of talk.flac"):
        page.locator("#file").set_input_files(home / name)
        page.get_by_text(f"{name}: shorter than its header says").wait_for()
    open_file(page, home / "clip.wav")
    assert page.locator("#result").is_visible()


@pytest.mark.parametrize("colors", ["light", "dark"])
def test_the_page_is_accessible_on_a_phone(home: Path, page: "Page", colors: str) -> None:
    page.emulate_media(color_scheme=colors)
    open_file(page, home / "clip.wav")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert "Probabilities: " in page.get_by_role("status").text_content()
    assert all(word in page.locator("#vocabulary").text_content() for word in WORDS)
    for name in ("file", "record", "player"):
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.id") == name
    assert serious_violations(page) == []


def test_the_policy_blocks_other_servers(page: "Page", url: str, console: list[str]) -> None:
    other = url.replace("127.0.0.1", "localhost")
    message = page.evaluate("url => fetch(url).then(() => 'loaded', error => error.message)", other)
    assert message == "Failed to fetch" and "Content Security Policy" in console[0]
    console.clear()
