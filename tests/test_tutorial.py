"""docs/tutorial.md is a program: its code runs and prints what the page shows."""

import re
import warnings

import pytest
import torch

from datamodules.features import MultiResolutionMel
from tests.helpers.pages import BLOCK
from tests.helpers.scripts import ROOT

TEXT = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
NUMBER = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?")


def blocks(language: str) -> str:
    return "".join(block for found, block in BLOCK.findall(TEXT) if found == language)


def numbers(text: str) -> list[float]:
    return [float(number.replace(",", "")) for number in NUMBER.findall(text)]


def test_the_code_prints_what_the_page_shows(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("tempfile.mkdtemp", lambda: str(tmp_path))
    with warnings.catch_warnings(action="ignore", category=UserWarning):  # the page counts mel bands without frequency
        exec(compile(blocks("python"), "docs/tutorial.md", "exec"), {})
    printed, shown = capsys.readouterr().out.splitlines(), blocks("text").splitlines()
    assert [NUMBER.sub("#", line) for line in printed] == [NUMBER.sub("#", line) for line in shown]
    for here, there in zip(printed, shown, strict=True):
        # Other releases of eSpeak NG may change measured values slightly, but not shapes and counts.
        measured = re.search(r"amplitude|repeats|cells|bands minus", here)
        assert numbers(there) == (pytest.approx(numbers(here), rel=0.1, abs=2) if measured else numbers(here)), here


def test_numbers_in_the_prose_come_from_the_code():
    prose = re.sub(r"^#+ \d+|sections? \d+|\]\([^)]*\)|commit \w+", "", BLOCK.sub("", TEXT), flags=re.MULTILINE)
    assert set(numbers(prose)) <= set(numbers(blocks("text") + blocks("python")))


def test_frames_are_centered_as_the_page_says():
    for frame in (0, 1, 80, 159):
        click = torch.zeros(1, 16_000)
        click[0, 50 + 100 * frame] = 1.0
        assert MultiResolutionMel()(click)[0, 0].mean(dim=0).argmax() == frame
