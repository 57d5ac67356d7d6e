"""README shows what its first command prints, and installs the versions that the tests passed with."""

import re
import subprocess
import sys
from pathlib import Path

from tests.helpers.scripts import ROOT, run

README = (ROOT / "README.md").read_text(encoding="utf-8")


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
