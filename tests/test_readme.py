"""README shows what its first command prints, links lead somewhere, and the tutorial's code prints what it shows."""

import re
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
import torch

from datamodules.features import MultiResolutionMel
from tests.helpers.pages import BLOCK
from tests.helpers.scripts import ROOT, run

README = (ROOT / "README.md").read_text(encoding="utf-8")
TEXT = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
NUMBER = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?")
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("overlapped_words/**/README.md")]


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_a_file_and_its_heading(page: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for link in re.findall(r"\]\((?!https?:)([^)]+)\)", text):
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_the_first_command_prints_what_readme_shows(tmp_path: Path) -> None:
    command, shown = re.findall(r"```bash\npython (predict.*?)\n```\n\n```text\n(.*?)```", README, flags=re.DOTALL)[0]
    script, argument = command.split()
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    printed = run(script, argument, cwd=tmp_path)
    assert [line.rstrip() for line in printed.splitlines()] == shown.splitlines()


def test_the_installation_has_the_tested_versions_and_shows_its_progress() -> None:
    tested = (ROOT / "constraints.txt").read_text().splitlines()
    shown = re.findall(r"\b(?:torch|torchaudio)==[\d.]+", README)
    assert len(shown) == 2 and set(shown) <= set(tested)
    command = ["make", "--dry-run", "demo", "VENV=new", f"PYTHON={sys.executable}"]
    listed = subprocess.check_output(command, cwd=ROOT, text=True)
    assert "this downloads" in listed and "--quiet" not in listed


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


def test_the_prose_of_the_tutorial_is_true():
    prose = re.sub(r"^#+ \d+|sections? \d+|\]\([^)]*\)|commit \w+", "", BLOCK.sub("", TEXT), flags=re.MULTILINE)
    assert set(numbers(prose)) <= set(numbers(blocks("text") + blocks("python")))
    for frame in (0, 1, 80, 159):
        click = torch.zeros(1, 16_000)
        click[0, 50 + 100 * frame] = 1.0
        assert MultiResolutionMel()(click)[0, 0].mean(dim=0).argmax() == frame
