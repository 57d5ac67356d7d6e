"""Running the scripts as their users do, but for the seconds that every import of torch takes."""

import atexit
import multiprocessing
import os
import runpy
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import NamedTemporaryFile

ROOT = Path(__file__).parents[1]
# PYTHONPATH: a process that does not start in a script of this checkout would import what is installed.
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": str(ROOT)}

# A process that has imported what is dear and done nothing with it; every script runs in a fork of it.
SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(
    [
        "hydra.main",
        "datamodules.overlap",
        "datamodules.sources",
        "reporting.summary",
        "reporting.dashboard",
        "runs.history",
        "inference.predictor",
        "lightning_modules.results",
    ]
)


def run(script: str, *arguments: str, cwd: Path, expect: int = 0) -> str:
    """Run a script of this project in `cwd` -> all it printed; its exit status must be `expect`.

    Not for a launcher that starts workers: it would wait for them for ever, as a fork ends in another order.
    """
    with NamedTemporaryFile() as output:
        process = SERVER.Process(target=_run, args=(str(ROOT / script), arguments, cwd, output.name))
        process.start()
        process.join()
        printed = Path(output.name).read_text(encoding="utf-8")
    assert process.exitcode == expect, printed
    return printed


def _run(script: str, arguments: Sequence[str], cwd: Path, output: str) -> None:
    file = os.open(output, os.O_WRONLY | os.O_APPEND)
    os.dup2(file, sys.stdout.fileno())
    os.dup2(file, sys.stderr.fileno())
    os.chdir(cwd)
    os.environ.update(ENVIRONMENT)
    sys.argv = [script, *arguments]
    try:
        runpy.run_path(script, run_name="__main__")
    finally:
        atexit._run_exitfuncs()  # a process of multiprocessing ends without them
