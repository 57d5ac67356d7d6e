"""Run the scripts as users do, without the seconds that importing torch takes."""

import atexit
import multiprocessing
import os
import runpy
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import pandas as pd
from omegaconf import OmegaConf

from overlapped_words.report import report

ROOT = Path(__file__).parents[2]
# LOKY_MAX_CPU_COUNT: the members of a sweep run one after the other, in the process of the sweep.
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "LOKY_MAX_CPU_COUNT": "1", "CUDA_VISIBLE_DEVICES": ""}
# A process that starts outside of this checkout would import the installed packages.
ENVIRONMENT["PYTHONPATH"] = str(ROOT)

# A process that has imported the slow modules; every script runs in a fork of it.
SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(
    [
        "hydra.main",
        "overlapped_words.settings.train",
        "datamodules.overlap",
        "datamodules.sources",
        "overlapped_words.report.summary",
        "overlapped_words.training.dashboard",
        "overlapped_words.training.epoch_csv",
        "overlapped_words.inference.predictor",
        "overlapped_words.training.run",
    ]
)


def run(script: str, *arguments: str, expect: int = 0, **options: Any) -> str:
    """Run a script and return its output; `expect` is its exit status, `options` are those of `start`.

    Do not use it for a launcher that starts workers: a fork ends in another order and would wait for them forever.
    """
    with NamedTemporaryFile() as output:
        process = start(script, *arguments, output=output.name, **options)
        process.join()
        printed = Path(output.name).read_text(encoding="utf-8")
    assert process.exitcode == expect, printed
    return printed


def fresh(*command: object, cwd: Path = ROOT, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run `python COMMAND` in a new process, which imports everything itself; `variables` are of the environment."""
    options = {"env": ENVIRONMENT | variables, "capture_output": True, "text": True}
    return subprocess.run([sys.executable, *map(str, command)], cwd=cwd, check=False, **options)


def start(
    script: str,
    *arguments: str,
    cwd: Path,
    output: str = os.devnull,
    root: Path = ROOT,
    environment: Mapping[str, str] = ENVIRONMENT,
) -> BaseProcess:
    """Start a script in `cwd`, with its output in the file `output`.

    `script` is a file of the project in `root`, or "-m" before the name of a module.
    """
    process = SERVER.Process(target=_run, args=(script, arguments, cwd, output, root, environment))
    process.start()
    return process


def copy_project(root: Path, *more: str) -> Path:
    """Copy the scripts, the packages and conf into `root`, and the files and folders `more`."""
    names = ("conf", "datamodules", "lightning_modules", "overlapped_words", *more)
    return copy([*(ROOT / name for name in names), *ROOT.glob("*.py")], root)


def copy(paths: Iterable[Path], root: Path) -> Path:
    """Copy files and folders into `root`."""
    root.mkdir(exist_ok=True)
    for path in paths:
        if path.is_dir():
            shutil.copytree(path, root / path.name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(path, root)
    return root


def combine(
    run_dir: Path, expect: int | None = None, partial: bool = False, html: bool = False, combine: str = "mean"
) -> pd.DataFrame:
    """Run ensemble.py in this process and return its table."""
    settings = {"run_dir": str(run_dir), "expect": expect, "partial": partial, "combine": combine}
    return report.run(OmegaConf.create({**settings, "status": False, "html": html}))


def imported(*command: str) -> set[str]:
    """Run a script in a new process and return the top-level packages that it imported."""
    listing = "import atexit, sys; atexit.register(lambda: print(*{name.partition('.')[0] for name in sys.modules}))"
    program = f"{listing}; import runpy; sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
    done = fresh("-c", program, *command)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.splitlines()[-1].split())


def _run(
    script: str, arguments: Sequence[str], cwd: Path, output: str, root: Path, environment: Mapping[str, str]
) -> None:
    file = os.open(output, os.O_WRONLY | os.O_APPEND)
    os.dup2(file, sys.stdout.fileno())
    os.dup2(file, sys.stderr.fileno())
    os.chdir(cwd)
    os.environ.update(environment, PYTHONPATH=str(root))
    if root != ROOT:  # the server has imported this checkout's modules
        sys.dont_write_bytecode = False  # otherwise each command compiles the copy's modules again
        own = {path.stem for path in ROOT.glob("*.py")} | {path.parent.name for path in ROOT.glob("*/__init__.py")}
        for name in [name for name in sys.modules if name.partition(".")[0] in own]:
            del sys.modules[name]
    sys.path.insert(0, str(root))
    try:
        match script:
            case "-m":
                sys.argv = ["", *arguments[1:]]
                runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)
            case _:
                sys.argv = [str(root / script), *arguments]
                runpy.run_path(str(root / script), run_name="__main__")
    finally:
        atexit._run_exitfuncs()  # which a process of multiprocessing does not run
