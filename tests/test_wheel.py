"""The wheel, installed outside of the checkout, in a folder with modules that have the names of ours."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile

from tests.helpers.fake_recordings import RATE, speech, write_word_folder
from tests.helpers.scripts import ROOT

SOURCES = ("conf", "datamodules", "lightning_modules", "overlapped_words", "pyproject.toml", "README.md", "LICENSE")
SMALL = [
    "data=words", "data.root=words", "data.k=2", "data.train_size=16", "data.val_size=8", "data.test_size=8",
    "data.batch_size=8", "model.width=2", "trainer.max_epochs=1", "callbacks.dashboard=null", "data.cache_dir=cache",
]  # fmt: skip


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which pip installed the wheel."""
    source, site = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("site")
    for path in [*(ROOT / name for name in SOURCES), *ROOT.glob("*.py")]:
        if path.is_dir():
            shutil.copytree(path, source / path.name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(path, source)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    subprocess.run([*pip, "wheel", "--no-build-isolation", "--no-deps", "-w", source / "dist", source], check=True)
    (wheel,) = (source / "dist").glob("*.whl")
    subprocess.run([*pip, "install", "--no-deps", "--target", site, wheel], check=True)
    return site


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's folder: recordings, and modules of his own."""
    home = tmp_path_factory.mktemp("user")
    for name in ("errors", "cli", "settings", "runs", "messages"):
        (home / f"{name}.py").write_text("raise RuntimeError('a module of the user was imported')")
    write_word_folder(home / "words")
    soundfile.write(home / "clip.wav", speech(0), RATE)
    return home


def call(site: Path, home: Path, *command: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(site), "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_installed_names(site: Path) -> None:
    names = {path.name for path in site.iterdir() if path.name != "bin" and not path.name.endswith(".dist-info")}
    assert names == {"datamodules", "lightning_modules", "overlapped_words"}


def test_the_api(site: Path, home: Path) -> None:
    program = "from overlapped_words import load; print(load()('clip.wav').sum())"
    assert float(call(site, home, sys.executable, "-c", program)) == pytest.approx(1, abs=1e-4)


def test_importing_the_package_is_light(site: Path, home: Path) -> None:
    program = "import sys, overlapped_words; print('torch' in sys.modules, 'hydra' in sys.modules)"
    assert call(site, home, sys.executable, "-c", program).split() == ["False", "False"]


def test_the_commands(site: Path, home: Path) -> None:
    command = [sys.executable, str(site / "bin" / "overlapped-words")]
    assert "most likely" in call(site, home, *command, "predict", "input=clip.wav")
    assert "overlapped-words train experiment=demo" in call(site, home, *command, "train", "--help")
    printed = call(site, home, *command, "train", "-m", *SMALL, "seed=0,1", "name=own")
    assert "2 of 2 members complete" in printed and "overlapped-words ensemble run_dir=outputs/own" in printed
    call(site, home, *command, "ensemble", "run_dir=outputs/own", "html=false")
    assert (home / "outputs" / "own" / "submission.csv").exists()
    call(site, home, *command, "export", "format=safetensors", "run_dir=outputs/own")
    assert "1 member" in call(site, home, sys.executable, "-m", "overlapped_words", "predict", "input=clip.wav")
    assert "port" in call(site, home, *command, "app", "--help")
