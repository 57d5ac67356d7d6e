"""docs/tutorial.md matches docs/tutorial.py: the same lines of code, the same numbers, the same plots."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image

from datamodules.features import MultiResolutionMel
from tests.helpers.scripts import ROOT

DOCS = ROOT / "docs"
TEXT = (DOCS / "tutorial.md").read_text(encoding="utf-8")
SCRIPT = (DOCS / "tutorial.py").read_text(encoding="utf-8")
PLOTS = re.findall(r"!\[[^\]]+\]\((images/[^)]+\.png)\)", TEXT)
NUMBER = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?")


def run_tutorial(*arguments: str | Path) -> list[str]:
    """Run the script; return the lines it prints."""
    command = [sys.executable, DOCS / "tutorial.py", *arguments]
    # From the root of the project, as a user does, without an installed package.
    run = subprocess.run(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": "."}, capture_output=True, text=True)
    assert run.returncode == 0 and "Warning" not in run.stderr, run.stderr
    return run.stdout.splitlines()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", TEXT, flags=re.MULTILINE | re.DOTALL)


def numbers(text: str) -> list[float]:
    return [float(number.replace(",", "")) for number in NUMBER.findall(text)]


@pytest.fixture(scope="module")
def tutorial(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[str], Path]:
    out = tmp_path_factory.mktemp("tutorial") / "images"
    return run_tutorial("--out", out), out


def test_prints_the_shapes(tutorial):
    lines = "\n".join(tutorial[0])
    assert "waveform: (1, 16000) at 16000 Hz" in lines
    assert "\nspectrogram: (1, 257, 101)\n" in lines
    assert "\nmel spectrogram: (1, 80, 101)\n" in lines
    assert "\nfeatures: (4, 160, 160)\n" in lines


def test_the_text_shows_exactly_the_output_of_the_script(tutorial):
    stated = "".join(blocks("text")).splitlines()
    assert [NUMBER.sub("#", line) for line in stated] == [NUMBER.sub("#", line) for line in tutorial[0]]
    for there, here in zip(stated, tutorial[0], strict=True):
        # Other releases of eSpeak NG may change measured values slightly, but not shapes and counts.
        measured = re.search(r"amplitude|repeats|cells|bands minus", here)
        assert numbers(there) == (pytest.approx(numbers(here), rel=0.1, abs=2) if measured else numbers(here)), here


def test_numbers_in_the_prose_come_from_the_script():
    prose = re.sub(r"^```.*?^```$", "", TEXT, flags=re.MULTILINE | re.DOTALL)
    prose = re.sub(r"^#+ \d+|sections? \d+|\]\([^)]*\)", "", prose, flags=re.MULTILINE)
    assert set(numbers(prose)) <= set(numbers("".join(blocks("text") + blocks("python"))))


def test_code_in_the_text_is_in_the_script_in_the_same_order():
    position = 0
    for block in blocks("python"):
        position = SCRIPT.find("\n" + block, position)
        assert position >= 0, block


def test_draws_every_plot_of_the_text(tutorial):
    assert sorted(path.name for path in tutorial[1].iterdir()) == sorted(Path(name).name for name in PLOTS)
    for path in tutorial[1].iterdir():
        low, high = Image.open(path).convert("L").getextrema()
        assert high - low > 100, f"{path.name} is almost empty"


def test_linked_files_exist_and_plots_are_small():
    links = re.findall(r"\]\(([^)#]+)\)", TEXT)
    assert [link for link in links if not (DOCS / link).is_file()] == []
    sizes = [(DOCS / name).stat().st_size for name in PLOTS]
    assert min(sizes) > 0 and max(sizes) < 150_000 and sum(sizes) < 700_000


def test_accepts_a_recording(tutorial, tmp_path):
    clip = tmp_path / "my clip.WAV"
    t = np.arange(4000) / 8000
    soundfile.write(clip, np.stack([0.5 * np.sin(2 * np.pi * 200 * t), 0 * t], axis=1), 8000)
    lines = run_tutorial(clip, "--out", tmp_path / "images")
    assert "the waveform repeats every 5 ms, 200 times per second" in lines
    assert [line for line in lines if "(1, " in line] == [line for line in tutorial[0] if "(1, " in line]
    assert len(list((tmp_path / "images").iterdir())) == len(PLOTS)


def test_frames_are_centered_as_the_text_says():
    for frame in (0, 1, 80, 159):
        click = torch.zeros(1, 16_000)
        click[0, 50 + 100 * frame] = 1.0
        assert MultiResolutionMel()(click)[0, 0].mean(dim=0).argmax() == frame
