"""Pages as a browser shows them."""

import shutil
import subprocess
from pathlib import Path

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium")


def rendered(url: str, profile: Path, *options: str, milliseconds: int = 20_000) -> tuple[str, str]:
    """Load a page -> its DOM as HTML, and the log of the browser with the page's console."""
    command = [str(CHROMIUM), "--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}"]
    command += ["--enable-logging=stderr", f"--virtual-time-budget={milliseconds}", *options, "--dump-dom", url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    return done.stdout, done.stderr
