"""Page faults of a process that allocates and frees large tensors."""

import platform
import subprocess
import sys

import pytest

from tests.helpers.scripts import ROOT


def page_faults(*options: str) -> int:
    command = [sys.executable, "-m", "tests.helpers.page_faults", *options]
    return int(subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="a setting of glibc")
def test_freed_memory_is_reused() -> None:
    assert page_faults("--keep") < 1_000 < 100_000 < page_faults()
