"""The page of app.py in a browser: the microphone, a phone, the keyboard, and no request to another server."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

pytest.importorskip("gradio", reason="the page's extra is not installed")

from tests.helpers.browsers import needs_chromium, open_page, serious_violations
from tests.helpers.fake_recordings import RATE
from tests.helpers.served_app import served, write_home

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = needs_chromium
GRADIO = ("aria-prohibited-attr", "label-content-name-mismatch")  # rules that its own elements break
TABS = ["Recording", "Live", "Mix words", "Record words"]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_home(tmp_path_factory.mktemp("home"), output="set", k=[0, 2])


@pytest.fixture(scope="module")
def url(home: Path) -> Iterator[str]:
    with served(home, f"record_dir={home / 'WORDS'}") as url:
        yield url


@pytest.fixture
def page(home: Path, url: str) -> Iterator["Page"]:
    with open_page(url, home / "talk.wav", width=1000, height=900) as page:
        page.goto(url)
        page.get_by_role("tab", name="Live").wait_for()
        yield page


def open_tab(page: "Page", name: str) -> None:
    tab = page.get_by_role("tab", name=name)
    if not tab.is_visible():  # on a phone, the last tabs are in a menu
        page.locator(".overflow-menu > button").click()
        tab = page.locator(".overflow-dropdown button", has_text=name)
    tab.click()


def test_events_are_listed_while_the_microphone_listens(page: "Page") -> None:
    open_tab(page, "Live")
    page.get_by_text("Not listening yet").wait_for()
    page.get_by_role("button", name="Record", exact=True).click()
    page.locator(".events tr").first.wait_for(timeout=90_000)  # a busy machine leaves out sound
    page.get_by_role("button", name="Stop").click()
    page.wait_for_timeout(1000)
    seconds = page.locator(".rolling").get_attribute("data-seconds")
    page.wait_for_timeout(1000)
    assert page.locator(".rolling").get_attribute("data-seconds") == seconds and float(seconds) > 0
    word = page.locator(".events td").nth(1).text_content()
    assert page.locator(".now").text_content().startswith(f"{word} at 0:0")


def test_a_word_is_recorded_into_the_folder(home: Path, page: "Page") -> None:
    open_tab(page, "Record words")
    page.get_by_label("Word", exact=True).fill("up")
    page.get_by_label("Speaker, without _").fill("ann")
    page.get_by_role("button", name="Record", exact=True).click()
    page.wait_for_timeout(1500)
    page.get_by_role("button", name="Stop").click()
    page.get_by_role("button", name="Play").first.wait_for()
    page.get_by_role("button", name="Save").press("Enter")
    saved = "[...document.querySelectorAll('textarea')].some(e => e.value.startsWith('Saved up/ann_0.wav'))"
    page.wait_for_function(saved)
    samples, rate = soundfile.read(home / "WORDS" / "up" / "ann_0.wav")
    assert rate == RATE and len(samples) > RATE and np.abs(samples).max() > 0.05
    page.get_by_role("status").get_by_text("Complete").wait_for(state="attached")  # for screen readers
    page.reload()
    page.get_by_role("tab", name="Live").wait_for()
    open_tab(page, "Record words")
    for text in ("1 recording of 1 word by 1 speaker", "data.words=[up]"):
        page.wait_for_function(f"[...document.querySelectorAll('textarea')].some(e => e.value.includes('{text}'))")


@pytest.mark.parametrize("colors", ["light", "dark"])
def test_the_page_is_accessible_on_a_phone(home: Path, page: "Page", colors: str) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.emulate_media(color_scheme=colors)
    page.reload()
    page.get_by_text("About the network and its limits").click()
    for text in ("yes, 하나, no, thanks, up", "Up to 60 seconds and 20 MB; WAV", "sweep: 1 member, 4 words"):
        page.get_by_text(text).wait_for()
    page.locator("input[type=file]").first.set_input_files(home / "talk.wav")
    page.get_by_text("Features: what the network sees").first.click()
    page.locator("img").nth(1).wait_for()
    for name in TABS:
        open_tab(page, name)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, name
        assert [found for found in serious_violations(page) if not found.startswith(GRADIO)] == [], name
