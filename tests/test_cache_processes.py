"""Several processes ask for one array of the cache; a builder is killed, or its disk is full."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.helpers.fake_recordings import cached_files
from tests.helpers.scripts import ROOT


def builder(path: Path, *options: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.helpers.build_array", path, *options],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep/er/array.npy"


@pytest.mark.parametrize("system", [[], ["--no-fallocate"]])
def test_a_file_that_is_too_large_for_the_disk(path, system):
    output, errors = builder(path, "--limit", "700", *system).communicate(timeout=60)  # half of the file
    _, message = output.splitlines()
    assert message.startswith(f"{path.parent}: cannot write the cache (File too large); ") and not errors
    assert cached_files(path.parent) == []


def test_parallel_processes_build_one_array_once(path):
    processes = [builder(path, "--pause", "0.3") for _ in range(3)]
    outputs = [process.communicate(timeout=60)[0].split()[-1] for process in processes]
    assert sorted(outputs) == ["built", "found", "found"]
    assert cached_files(path.parent) == ["array.npy"]


def test_a_waiting_process_takes_over_from_a_killed_builder(path):
    process = builder(path, "--pause", "60")
    while not path.with_suffix(".tmp").exists():
        time.sleep(0.05)
    waiting = builder(path)
    assert waiting.stdout.readline() == "started\n"
    time.sleep(0.2)
    assert waiting.poll() is None
    process.kill()
    process.communicate(timeout=60)
    assert waiting.communicate(timeout=60)[0] == "built\n"
    assert cached_files(path.parent) == ["array.npy"]
