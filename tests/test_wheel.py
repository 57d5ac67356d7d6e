"""What is installed: the wheel outside of the checkout, and the files of the Docker image."""

import itertools
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.fake_recordings import speech, write, write_word_folder
from tests.helpers.scripts import ROOT, copy, copy_project, fresh, run
from tests.helpers.small_runs import TINY_WORDS


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    site = tmp_path_factory.mktemp("site")
    source = copy_project(tmp_path_factory.mktemp("source"), "pyproject.toml", "README.md", "LICENSE")
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
    write(home / "clip.wav", speech(0))
    return home


def call(site: Path, home: Path, *command: object) -> str:
    done = fresh(*command, cwd=home, PYTHONPATH=str(site))
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_installed_names_and_the_api(site: Path, home: Path) -> None:
    names = {path.name for path in site.iterdir() if path.name != "bin" and not path.name.endswith(".dist-info")}
    assert names == {"datamodules", "lightning_modules", "overlapped_words"}
    light = "import sys, overlapped_words; print('torch' in sys.modules, 'hydra' in sys.modules)"
    program = f"{light}; print(overlapped_words.load()('clip.wav').sum())"
    torch, hydra, total = call(site, home, "-c", program).split()
    assert torch == hydra == "False" and float(total) == pytest.approx(1, abs=1e-4)


def test_the_commands(site: Path, home: Path) -> None:
    def command(*arguments: str) -> str:
        return run("-m", "overlapped_words", *arguments, cwd=home, root=site)

    own = ["model.width=2", "data.cache_dir=cache", "name=own"]
    printed = command("train", "-m", *TINY_WORDS, *own, "seed=0,1")
    assert "2 of 2 members complete" in printed and "overlapped-words ensemble run_dir=outputs/own" in printed
    command("ensemble", "run_dir=outputs/own", "html=false")
    assert (home / "outputs" / "own" / "submission.csv").exists()
    command("export", "format=safetensors", "run_dir=outputs/own")
    assert "port" in command("app", "--help")
    script = site / "bin" / "overlapped-words"
    assert "overlapped-words train experiment=demo" in call(site, home, script, "train", "--help")
    assert "1 member" in call(site, home, "-m", "overlapped_words", "predict", "input=clip.wav")


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the files that .dockerignore admits: those named after an exclamation mark."""
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    found = {line: list(ROOT.glob(line[1:])) for line in lines if line.startswith("!")}
    assert lines[1] == "*" and all(found.values()), found
    return copy(itertools.chain.from_iterable(found.values()), tmp_path_factory.mktemp("image") / "app")


def test_the_image_predicts_a_recording_has_the_page_and_runs_as_a_user(image: Path, tmp_path: Path) -> None:
    shutil.copy(ROOT / "examples/two_words.flac", tmp_path)
    assert "most likely: left, dog" in run("predict.py", "input=two_words.flac", cwd=tmp_path, root=image)
    program = "from overlapped_words.app import page, server; print(page.__file__, server.__file__)"
    printed = fresh("-c", program, cwd=image.parent, PYTHONPATH=str(image)).stdout
    assert printed.split() == [str(image / f"overlapped_words/app/{name}.py") for name in ("page", "server")]
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    assert lines.index("USER user") < lines.index('ENTRYPOINT ["python"]')
