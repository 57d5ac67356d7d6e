"""Several processes ask for one array of the cache; a builder is killed, or its disk is full."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tests.helpers.cached_arrays import VALUES, Build, ask
from tests.helpers.fake_recordings import cached_files
from tests.helpers.scripts import ROOT

# A builder in a process of its own: argv is the array's path and code to run in the middle of the build.
BUILDER = """
import resource, signal, sys, time
from pathlib import Path
import numpy as np
from errors import CacheError
from datamodules.cache import cached_array

path, middle = Path(sys.argv[1]), sys.argv[2]
values = np.arange(600, dtype=np.int16).reshape(30, 20)

def build():
    print("building", flush=True)
    yield values[:10]
    exec(middle)
    yield values[10:]

try:
    array = cached_array(path, (30, 20), np.int16, build, "test")
    assert np.array_equal(array, values)
    print("done", flush=True)
except CacheError as error:
    print(error)
"""


def builder(path: Path, middle: str = "", before: str = "") -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", BUILDER.replace("def build", f"{before}\n\ndef build"), path, middle],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep/er/array.npy"


@pytest.mark.parametrize("system", ["", "import os; del os.posix_fallocate"])
def test_a_file_that_is_too_large_for_the_disk(path, system):
    limit = "resource.setrlimit(resource.RLIMIT_FSIZE, (700, 700))"  # half of the file
    output, errors = builder(path, before=f"{system}\n{limit}").communicate(timeout=60)
    assert "Traceback" not in errors
    *before, message = output.splitlines()
    assert before == (["building"] if system else [])
    assert message.startswith(f"{path.parent}: cannot write the cache (File too large); ")
    assert cached_files(path.parent) == []


def test_parallel_processes_build_one_array_once(path):
    processes = [builder(path, "time.sleep(0.3)") for _ in range(3)]
    outputs = [process.communicate(timeout=60)[0].split() for process in processes]
    assert all(output[-1] == "done" for output in outputs)
    assert sum(output.count("building") for output in outputs) == 1
    assert cached_files(path.parent) == ["array.npy"]


def test_a_waiting_process_takes_over_from_a_killed_builder(path):
    process = builder(path, "time.sleep(60)")
    assert process.stdout.readline() == "building\n"
    waiting = builder(path, before='print("started", flush=True)')
    assert waiting.stdout.readline() == "started\n"
    time.sleep(0.2)
    assert waiting.poll() is None and path.with_suffix(".tmp").exists()
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    assert waiting.communicate(timeout=60)[0].split() == ["building", "done"]
    assert cached_files(path.parent) == ["array.npy"]


def test_a_killed_builder_publishes_nothing(path):
    process = builder(path, "time.sleep(60)")
    assert process.stdout.readline() == "building\n"
    process.kill()
    process.communicate(timeout=60)
    assert not path.exists()
    assert np.array_equal(ask(path, Build()), VALUES)
    assert cached_files(path.parent) == ["array.npy"]
