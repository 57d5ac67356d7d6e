"""Several processes ask for one array of the cache; a builder is killed, or its disk is full."""

import signal
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
    assert "Traceback" not in errors
    *before, message = output.splitlines()
    assert before == (["started", "building"] if system else ["started"])
    assert message.startswith(f"{path.parent}: cannot write the cache (File too large); ")
    assert cached_files(path.parent) == []


def test_parallel_processes_build_one_array_once(path):
    processes = [builder(path, "--pause", "0.3") for _ in range(3)]
    outputs = [process.communicate(timeout=60)[0].split() for process in processes]
    assert all(output[-1] == "done" for output in outputs)
    assert sum(output.count("building") for output in outputs) == 1
    assert cached_files(path.parent) == ["array.npy"]


def test_a_waiting_process_takes_over_from_a_killed_builder(path):
    process = builder(path, "--pause", "60")
    assert [process.stdout.readline() for _ in range(2)] == ["started\n", "building\n"]
    waiting = builder(path)
    assert waiting.stdout.readline() == "started\n"
    time.sleep(0.2)
    assert waiting.poll() is None and path.with_suffix(".tmp").exists()
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    assert waiting.communicate(timeout=60)[0].split() == ["building", "done"]
    assert cached_files(path.parent) == ["array.npy"]
