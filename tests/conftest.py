"""Fixtures that several files of tests share."""

import os
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch: as many tests run at once as there are cores

from datamodules.timeline import TimelineMixer
from overlapped_words import Model, load
from tests.helpers.fake_recordings import write_competition, write_word_folder
from tests.helpers.small_runs import write_data


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test whose marker names what is not here."""
    for marker, reason in {"network": "needs a network", "slow": "takes minutes"}.items():
        if item.get_closest_marker(marker) and marker not in item.config.option.markexpr:
            pytest.skip(f"{reason}: pytest -m {marker}")
    if item.get_closest_marker("ray") and find_spec("ray") is None:
        pytest.skip("needs Ray: pip install -e '.[ray]'")
    if item.get_closest_marker("slurm"):
        if shutil.which("sinfo") is None:
            pytest.skip("needs Slurm: .ci/slurm-node start")
        nodes = subprocess.run(["sinfo", "--noheader", "--format=%T"], capture_output=True, text=True)
        if "idle" not in nodes.stdout:
            pytest.skip(f"no node of Slurm is idle: {nodes.stdout}{nodes.stderr}")
    if item.get_closest_marker("gpu"):
        import torch

        if not torch.cuda.is_available():
            pytest.skip("needs a GPU: torch.cuda.is_available() is False")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the competition `Data` of tests/helpers/small_runs.py."""
    home = tmp_path_factory.mktemp("home")
    write_data(home / "Data")
    return home


@pytest.fixture(scope="module")
def set_sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.helpers.networks import write_members  # torch takes seconds to import

    return write_members(tmp_path_factory.mktemp("sweep"), output="set", k=[0, 2])


@pytest.fixture(scope="module")
def set_model(set_sweep: Path) -> Model:
    return load(set_sweep, "cpu")


@pytest.fixture
def competition(tmp_path: Path) -> Path:
    """A competition folder of 12 training and 4 test clips of 4 words."""
    return write_competition(tmp_path / "competition")


@pytest.fixture
def words(tmp_path: Path) -> Path:
    """A word folder of 4 words, 6 speakers and 2 takes."""
    return write_word_folder(tmp_path / "words")


@pytest.fixture
def cache_dir(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def rows(monkeypatch: pytest.MonkeyPatch) -> list[list[np.ndarray]]:
    """The rows of each word's recordings, of each split that a word folder has mixed."""
    drawn = []

    def mixer(words: list[np.ndarray], **mixing: Any) -> TimelineMixer:
        drawn.append(words)
        return TimelineMixer(words, **mixing)

    monkeypatch.setattr("datamodules.words.TimelineMixer", mixer)
    return drawn
