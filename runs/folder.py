"""The folder of one run: what it was asked to do, how far it got, what came out."""

import json
import os
import platform
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pandas as pd
import yaml

from errors import DISK_FULL, RunError, user_message
from messages import no_room
from runs.reading import Metrics, read_config, read_metrics
from runs.status import Status

# What may change between the start of a run and its end without changing what it computes.
IGNORED_SETTINGS: tuple[str, ...] = ("ckpt_path", "overwrite", "callbacks", "logger", "compile")
IGNORED_SETTINGS += ("data.cache", "data.cache_dir", "data.device_cache", "data.num_workers")
IGNORED_SETTINGS += ("data.source",)  # repeats what stands in data
IGNORED_SETTINGS += (
    "trainer.accelerator",
    "trainer.precision",
    "trainer.enable_progress_bar",
    "trainer.log_every_n_steps",
)
IGNORED_SETTINGS += ("trainer.max_time", "trainer.default_root_dir", "run_dir")  # a folder may be moved
RUN_FOLDERS = (".hydra", "checkpoints", "tensorboard")  # by a run, beside its tables and figures
HEARTBEAT = 10.0  # seconds between two signs of life of a run
RESERVE = 16_384  # bytes of the file that gives them: room for the last metrics.json on a full disk
HEARTBEAT_TIMEOUT = 60.0  # seconds without one after which a run counts as interrupted
PACKAGES = ("torch", "torchaudio", "lightning", "hydra-core", "numpy")


class RunFolder:
    """`outputs/<name>/<member>`, described in README."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.last_checkpoint = self.path / "checkpoints" / "last.ckpt"
        self.heartbeat = self.path / "heartbeat"  # its time of change is the last sign of life

    @property
    def metrics(self) -> Metrics:
        """What metrics.json holds; nothing where the run has not started. Raises RunError where it is damaged."""
        return read_metrics(self.path)

    def prepare(self, config: dict[str, Any], overrides: Sequence[str], overwrite: bool) -> None:
        """Take the folder for a run of `config`: where nothing was trained yet, or where the same run was begun before.

        Raises:
            RunError: another process is at work here; or `overwrite` is false, and a run of another configuration was
                begun here or what it left is damaged.
        """
        try:
            held = self.metrics
        except RunError:
            if not overwrite:
                raise
            held = {}
        if held.get("status") == Status.RUNNING and self.is_alive():
            raise RunError(
                f"{self.path} is being trained by process {held.get('pid')} on {held.get('host')}; wait for its end, "
                f"or end it and repeat this command after {HEARTBEAT_TIMEOUT:.0f} s"
            )
        for half_written in self.path.rglob("*.tmp"):  # by a process that was killed
            half_written.unlink()
        if overwrite:
            for name in RUN_FOLDERS:
                shutil.rmtree(self.path / name, ignore_errors=True)
            for file in self.path.iterdir():
                if file.suffix in (".csv", ".json", ".onnx"):
                    file.unlink()
        file = self.path / ".hydra" / "config.yaml"
        begun = self.last_checkpoint.exists() or self.metrics.get("status") == Status.RUNNING
        if begun and file.exists():
            difference = differences(read_config(self.path), config)
            if difference:
                raise RunError(
                    f"{self.path} holds a run of another configuration:\n"
                    + "\n".join(f"  {key}: {old!r} there, {new!r} now" for key, old, new in difference)
                    + "\nChoose another folder with name=..., or overwrite=true to throw that run away."
                )
            return
        file.parent.mkdir(parents=True, exist_ok=True)
        write_text(file.parent / "overrides.yaml", yaml.safe_dump(list(overrides)))
        write_text(file, yaml.safe_dump(config, sort_keys=False, allow_unicode=True))

    @contextmanager
    def track_status(self, **facts: Any) -> Iterator[None]:
        """Marks the run as running, with a sign of life every few seconds; as interrupted where a signal ends it, and
        as failed where an error does."""
        self.write_metrics(status=Status.RUNNING, error=None, silence=HEARTBEAT_TIMEOUT, **this_process(), **facts)
        ended = threading.Event()

        def beat() -> None:
            with suppress(OSError):  # the folder is gone or the disk full: the run itself will say so
                self.heartbeat.write_bytes(os.urandom(RESERVE))  # random: a file system may store zeros in no space
                while not ended.wait(HEARTBEAT):
                    self.heartbeat.touch()

        threading.Thread(target=beat, daemon=True).start()
        try:
            yield
        except (KeyboardInterrupt, SystemExit):  # a signal ended it
            self._record_end(status=Status.INTERRUPTED)
            raise
        except Exception as error:
            self._record_end(status=Status.FAILED, error=user_message(error) or f"{type(error).__name__}: {error}")
            raise
        finally:
            ended.set()

    def _record_end(self, **values: Any) -> None:
        """`write_metrics` of a run that a full disk may have ended; where it fails, the run counts as interrupted."""
        with suppress(OSError):
            os.truncate(self.heartbeat, 0)
        with suppress(OSError, RunError):
            self.write_metrics(**values)

    def is_alive(self) -> bool:
        """Whether another process is at work on this run, or on the sweep that it waits for, as far as one can tell."""
        held = self.metrics
        if held.get("host") == socket.gethostname() and not _is_running(held.get("pid", 0)):
            return False
        if held.get("status") == Status.WAITING:
            return "host" in held
        signs = self.heartbeat.stat().st_mtime if self.heartbeat.exists() else 0
        return held.get("status") == Status.RUNNING and time.time() - signs < held.get("silence", HEARTBEAT_TIMEOUT)

    def write_metrics(self, **values: Any) -> None:
        """Add to metrics.json, keeping what it holds."""
        write_text(self.path / "metrics.json", json.dumps({**self.metrics, **values}, indent=2) + "\n")


def write_table(
    path: Path, columns: Sequence[str], ids: Sequence[str], values: np.ndarray, header: bool = True
) -> None:
    """A table of distributions `(N, num_classes)` as CSV; `columns` starts with the id's."""
    table = pd.DataFrame(values.astype(np.float64), columns=list(columns[1:]))
    table.insert(0, columns[0], list(ids))
    write_text(path, table.to_csv(index=False, header=header, float_format="%.9g"))


def write_text(path: Path, text: str) -> None:
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes | memoryview) -> None:
    """All or nothing: a reader, a run that goes on after a kill or a second writer never meets half a file.

    Raises:
        RunError: the disk is full.
    """
    # A random name and not the process id: containers that share a folder all count their processes from 1.
    temporary = path.with_name(f"{path.name}.{uuid4().hex}.tmp")
    try:
        temporary.write_bytes(content)
        os.replace(temporary, path)
    except OSError as error:
        if error.errno not in DISK_FULL:
            raise
        temporary.unlink(missing_ok=True)  # first: what is free does not count what was written in vain
        raise RunError(no_room(path, len(content))) from error
    finally:
        temporary.unlink(missing_ok=True)


def this_process() -> dict[str, Any]:
    """What tells whether the process still runs, see `RunFolder.is_alive`."""
    return {"host": socket.gethostname(), "pid": os.getpid()}


def _is_running(pid: int) -> bool:
    """Whether a process of that number, other than this one, runs on this machine."""
    if os.name != "posix" or pid == os.getpid() or not 0 < pid < 2**31:
        return pid != os.getpid()
    try:
        os.kill(pid, 0)  # sends nothing
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's
        pass
    return True


def flatten(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings -> dotted names."""
    flat: dict[str, Any] = {}
    for key, value in config.items():
        name = f"{prefix}{key}"
        flat.update(flatten(value, f"{name}.") if isinstance(value, dict) and value else {name: value})
    return flat


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    """(name, old value, new value) of every setting that differs and decides what a run computes."""
    flat_old, flat_new = flatten(old), flatten(new)
    names = [
        name
        for name in {**flat_old, **flat_new}
        if not any(f"{name}.".startswith(f"{free}.") for free in IGNORED_SETTINGS)
    ]
    # A setting that did not exist yet and one that is null are the same.
    pairs = [(name, flat_old.get(name), flat_new.get(name)) for name in names]
    return [pair for pair in pairs if pair[1] != pair[2]]


def provenance() -> dict[str, Any]:
    """What made a run: command line, commit and whether the tree was dirty, versions, machine."""

    commit = _git("rev-parse", "HEAD")
    return {
        "command": sys.argv,
        "git_commit": commit,
        "git_dirty": commit and bool(_git("status", "--porcelain", "--untracked-files=no")),
        "versions": {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
        "machine": platform.platform(),
    }


def _git(*arguments: str) -> str | None:
    """What git says of this checkout; None without git or outside a checkout."""
    if shutil.which("git") is None:
        return None
    done = subprocess.run(["git", *arguments], capture_output=True, text=True, cwd=Path(__file__).parent, check=False)
    return done.stdout.strip() if done.returncode == 0 else None
