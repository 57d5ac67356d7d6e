"""README shows what its first command prints and installs the tested versions; all links lead somewhere."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.scripts import ROOT, run

README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("overlapped_words/**/README.md")]


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
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


def test_the_installation_without_cuda_has_the_tested_versions() -> None:
    tested = (ROOT / "constraints.txt").read_text().splitlines()
    shown = re.findall(r"\b(?:torch|torchaudio)==[\d.]+", README)
    assert len(shown) == 2
    assert set(shown) <= set(tested)


def test_make_demo_shows_the_progress_of_the_installation() -> None:
    listed = subprocess.check_output(
        ["make", "--dry-run", "demo", "VENV=new", f"PYTHON={sys.executable}"], cwd=ROOT, text=True
    )
    assert "this downloads" in listed
    assert "--quiet" not in listed
