"""Take the screenshots of the docs: the web page, the report and TensorBoard of a trained run.

    pip install playwright && playwright install chromium
    python docs/screenshots.py outputs/demo clip.wav

Without Playwright's own browser, an installed Chromium is used.
"""

import argparse
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from shutil import which

from PIL import Image
from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).parents[1]
COLORS = 128  # of the palette that the images are reduced to, so that each takes less than 200 KB


@contextmanager
def server(*command: str, log: Path) -> Iterator[str]:
    """Run a server of this project -> its URL, as soon as it accepts connections."""
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    with log.open("w") as output:
        arguments = [part.replace("PORT", str(port)) for part in command]
        process = subprocess.Popen([sys.executable, *arguments], cwd=ROOT, stdout=output, stderr=output)
    try:
        for _ in range(600):
            if process.poll() is not None:
                break
            with closing(socket.socket()) as client:
                if client.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.2)
        if process.poll() is not None:
            raise SystemExit(f"{' '.join(command)} ended: {log.read_text()}")
        yield f"http://127.0.0.1:{port}/"
    finally:
        process.terminate()
        process.wait()


def capture(page: Page, path: Path) -> None:
    """Write a screenshot as a PNG with a palette."""
    page.screenshot(path=path)
    Image.open(path).convert("RGB").quantize(COLORS, dither=Image.Dither.NONE).save(path, optimize=True)
    print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


def app(page: Page, url: str, clip: Path, path: Path) -> None:
    page.set_viewport_size({"width": 1000, "height": 1160})
    page.goto(url)
    page.locator("input[type=file]").first.set_input_files(clip)
    page.get_by_text("Words in its loudest second").first.wait_for()
    page.locator("img[src^='data:image'], img[src*='/file=']").first.wait_for()
    page.wait_for_timeout(2000)  # the waveform is drawn
    capture(page, path)


def report(page: Page, file: Path, path: Path) -> None:
    page.set_viewport_size({"width": 1000, "height": 1000})
    page.goto(file.as_uri())
    page.locator("svg.main-svg").first.wait_for()
    capture(page, path)


def tensorboard(page: Page, url: str, path: Path) -> None:
    page.set_viewport_size({"width": 1000, "height": 950})
    page.goto(f"{url}?tagFilter=train/loss_epoch|^val/kl$|features/clip_0&smoothing=0#timeseries")
    page.get_by_label("Toggle settings side pane").click()
    page.locator("image-card img").first.wait_for()
    page.wait_for_timeout(3000)  # the curves are drawn
    capture(page, path)


def main() -> None:
    parser = argparse.ArgumentParser(description="Take the screenshots of the docs.")
    parser.add_argument("run_dir", type=Path, help="folder of a sweep for which ensemble.py has written report.html")
    parser.add_argument("clip", type=Path, help="a recording for the web page, for the pretrained network")
    parser.add_argument("--out", default=Path(__file__).parent / "images", type=Path, help="folder for the images")
    args = parser.parse_args()
    run_dir = args.run_dir.resolve()
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as logs:
        own = Path(playwright.chromium.executable_path)
        browser = playwright.chromium.launch(executable_path=own if own.exists() else which("chromium"))
        page = browser.new_page(color_scheme="light")
        page.set_default_timeout(120_000)
        report(page, run_dir / "report.html", args.out / "report.png")
        with server("app.py", "port=PORT", log=Path(logs) / "app") as url:
            app(page, url, args.clip, args.out / "page.png")
        command = ["-m", "tensorboard.main", "--logdir", str(run_dir), "--port", "PORT", "--bind_all"]
        with server(*command, log=Path(logs) / "tensorboard") as url:
            tensorboard(page, url, args.out / "tensorboard.png")
        browser.close()


if __name__ == "__main__":
    main()
