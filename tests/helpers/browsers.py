"""Pages as a browser shows them."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.helpers.scripts import ROOT

if TYPE_CHECKING:
    from playwright.sync_api import Page

AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium")


def rendered(url: str, profile: Path, *options: str, milliseconds: int = 20_000) -> tuple[str, str]:
    """Load a page -> its DOM as HTML, and the log of the browser with the page's console."""
    command = [str(CHROMIUM), "--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}"]
    command += ["--enable-logging=stderr", f"--virtual-time-budget={milliseconds}", *options, "--dump-dom", url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    return done.stdout, done.stderr


@contextmanager
def open_page(url: str, recording: Path, **viewport: int) -> Iterator["Page"]:
    """An empty page of a browser that a test controls; skips the test if Playwright is not installed.

    Fails if it contacts another host than that of `url`. Its microphone plays a WAV file again and again.
    """
    sync_api = pytest.importorskip("playwright.sync_api", reason="no Playwright: pip install playwright")
    options = ["--no-sandbox", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
    options.append(f"--use-file-for-fake-audio-capture={recording}")
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=options)
        page = chromium.new_page(viewport=viewport)
        requests: list[str] = []
        page.on("request", lambda request: requests.append(request.url))
        yield page
        chromium.close()
    assert len(requests) >= 8 and [each for each in requests if not each.startswith((url, "blob:", "data:"))] == []


def serious_violations(page: "Page") -> list[str]:
    """What axe finds on a page that keeps people from using it; skip the test if axe is not installed."""
    if not AXE.is_file():
        pytest.skip("no axe: npm install --no-save axe-core")
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("async () => (await axe.run()).violations")
    serious = [violation for violation in found if violation["impact"] in ("serious", "critical")]
    return [f"{violation['id']}: {node['html']}" for violation in serious for node in violation["nodes"]]
