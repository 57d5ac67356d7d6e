"""The folder of one run: its configuration, its status and its metrics."""

import json
import os
import shutil
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import yaml

from overlapped_words.errors import RunError, user_message
from overlapped_words.runs.differences import differences
from overlapped_words.runs.files import write_text
from overlapped_words.runs.provenance import is_running, this_process
from overlapped_words.runs.reading import Metrics, read_config, read_metrics
from overlapped_words.runs.status import Status

RUN_FOLDERS = (".hydra", "checkpoints", "tensorboard", "wandb", "mlflow")  # beside a run's tables and metrics
HEARTBEAT = 10.0  # seconds between two heartbeats
HEARTBEAT_TIMEOUT = 60.0  # seconds without a heartbeat after which a run counts as interrupted
RESERVE = 16_384  # bytes of the heartbeat's file: freed on a full disk, they hold the last metrics.json


class RunFolder:
    """`outputs/<name>/<pool>_seed<seed>/`; docs/run_folder.md lists its files."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.last_checkpoint = self.path / "checkpoints" / "last.ckpt"
        self.heartbeat = self.path / "heartbeat"  # its modification time is the last heartbeat

    @property
    def metrics(self) -> Metrics:
        """The content of metrics.json; empty if there is none. Raises RunError if it is damaged."""
        return read_metrics(self.path)

    @property
    def last_heartbeat(self) -> float:
        """Time of the last heartbeat in seconds since the epoch; 0 without one."""
        return self.heartbeat.stat().st_mtime if self.heartbeat.exists() else 0.0

    @property
    def status(self) -> str:
        """The status in metrics.json, corrected if the process that wrote it has ended.

        A running run without a heartbeat is interrupted, a waiting run whose sweep has ended is not started. Empty if
        there is no metrics.json. Raises RunError if it is damaged.
        """
        metrics = self.metrics
        status = metrics.get("status", "")
        ended = metrics.get("host") == socket.gethostname() and not is_running(metrics.get("pid", 0))
        if status == Status.RUNNING:
            silence = time.time() - self.last_heartbeat
            ended = ended or silence >= metrics.get("silence", HEARTBEAT_TIMEOUT)
            return Status.INTERRUPTED if ended else Status.RUNNING
        if status == Status.WAITING:
            return Status.NOT_STARTED if ended or "host" not in metrics else Status.WAITING
        return status

    def prepare(self, config: dict[str, Any], overrides: Sequence[str], overwrite: bool) -> None:
        """Prepare the folder for a run with `config`: a new run, or the same run to resume.

        Raises:
            RunError: another process trains here. Without `overwrite` also: the folder contains a run with a different
                configuration, or damaged files.
        """
        self._check_idle(overwrite)
        for temporary in self.path.rglob("*.tmp"):  # left by a process that was killed
            temporary.unlink()
        if overwrite:
            self._delete_run()
        file = self.path / ".hydra" / "config.yaml"
        started = self.last_checkpoint.exists() or self.metrics.get("status") == Status.RUNNING
        if started and file.exists():
            self._check_configuration(config)
            return
        file.parent.mkdir(parents=True, exist_ok=True)
        write_text(file.parent / "overrides.yaml", yaml.safe_dump(list(overrides)))
        write_text(file, yaml.safe_dump(config, sort_keys=False, allow_unicode=True))

    def _check_idle(self, overwrite: bool) -> None:
        try:
            status, metrics = self.status, self.metrics
        except RunError:
            if overwrite:
                return
            raise
        if status == Status.RUNNING:
            raise RunError(
                f"{self.path} is being trained by process {metrics.get('pid')} on {metrics.get('host')}; wait until it "
                f"finishes, or stop it and repeat this command after {HEARTBEAT_TIMEOUT:.0f} s"
            )

    def _check_configuration(self, config: dict[str, Any]) -> None:
        if difference := differences(read_config(self.path), config):
            raise RunError(
                f"{self.path} contains a run with a different configuration:\n"
                + "\n".join(f"  {name}: saved {old!r}, current {new!r}" for name, old, new in difference)
                + "\nChoose another folder with name=..., or delete that run with overwrite=true."
            )

    def _delete_run(self) -> None:
        for name in RUN_FOLDERS:
            shutil.rmtree(self.path / name, ignore_errors=True)
        for file in self.path.iterdir():
            if file.suffix in (".csv", ".json", ".onnx"):
                file.unlink()

    @contextmanager
    def track_status(self, **facts: Any) -> Iterator[None]:
        """Set the status to running and write a heartbeat every few seconds, until the block ends.

        A signal sets the status to interrupted, an error to failed. `facts` are added to metrics.json.
        """
        self.write_metrics(status=Status.RUNNING, error=None, silence=HEARTBEAT_TIMEOUT, **this_process(), **facts)
        ended = threading.Event()

        def beat() -> None:
            with suppress(OSError):  # the folder is gone or the disk is full: the run itself reports it
                self.heartbeat.write_bytes(os.urandom(RESERVE))  # random: some file systems allocate nothing for zeros
                while not ended.wait(HEARTBEAT):
                    self.heartbeat.touch()

        threading.Thread(target=beat, daemon=True).start()
        try:
            yield
        except (KeyboardInterrupt, SystemExit):  # a signal
            self._record_end(status=Status.INTERRUPTED)
            raise
        except Exception as error:
            self._record_end(status=Status.FAILED, error=user_message(error) or f"{type(error).__name__}: {error}")
            raise
        finally:
            ended.set()

    def _record_end(self, **values: Any) -> None:
        """`write_metrics` after an error, which may be a full disk; if it fails, the run counts as interrupted."""
        with suppress(OSError):
            os.truncate(self.heartbeat, 0)
        with suppress(OSError, RunError):
            self.write_metrics(**values)

    def write_metrics(self, **values: Any) -> None:
        """Add values to metrics.json."""
        write_text(self.path / "metrics.json", json.dumps({**self.metrics, **values}, indent=2) + "\n")
