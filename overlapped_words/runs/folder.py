"""The folder of one run: its configuration, its status and its metrics."""

import json
import shutil
import socket
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from enum import Enum
from pathlib import Path
from typing import Any

import yaml

from overlapped_words.errors import RunError, user_message
from overlapped_words.runs.files import TEMPORARY, write_text
from overlapped_words.runs.provenance import is_running, this_process
from overlapped_words.runs.reading import TABLES, Metrics, read_config, read_metrics
from overlapped_words.settings.saved import differences

# What overwrite=true deletes: files that a run writes, and then these folders if nothing else is in them.
RUN_FOLDERS = (".hydra", "checkpoints", "tensorboard", "mlflow")
RUN_FILES = [".hydra/*.yaml", "checkpoints/*.ckpt", "tensorboard/**/*.tfevents.*", "tensorboard/hparams.yaml"]
RUN_FILES += ["mlflow/run_id", "heartbeat", "metrics.json", "cache_rows.npy", "val_cache_rows.npy"]
RUN_FILES += [f"{name}.csv" for name in (*TABLES, "metrics", "any_word", "event_score")]
HEARTBEAT = 10.0  # seconds between two heartbeats
HEARTBEAT_TIMEOUT = 60.0  # seconds without a heartbeat after which a run counts as interrupted


class Status(str, Enum):  # a StrEnum, which Python 3.10 does not have
    WAITING = "waiting"  # its sweep has not started it
    RUNNING = "running"
    INTERRUPTED = "interrupted"  # by Ctrl-C or SIGTERM, or it runs without a heartbeat
    STOPPED = "stopped"  # by trainer.max_time; its tables are those of its last epoch
    COMPLETE = "complete"
    FAILED = "failed"  # by an error
    # Never in metrics.json:
    NOT_STARTED = "not started"  # its sweep ended before it started
    UNREADABLE = "unreadable"  # metrics.json is damaged or missing

    __str__ = str.__str__


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
        if status == Status.RUNNING and (ended or time.time() - self.last_heartbeat >= HEARTBEAT_TIMEOUT):
            return Status.INTERRUPTED
        if status == Status.WAITING and (ended or "host" not in metrics):
            return Status.NOT_STARTED
        return status

    def prepare(self, config: dict[str, Any], overrides: Sequence[str], overwrite: bool, **facts: Any) -> bool:
        """Take the folder for a run with `config`, a new run or the same run to resume: set the status to running.

        Of several processes that try at the same time, one gets the folder and the others an error. `facts` are added
        to metrics.json.

        Returns:
            Whether there is something to do; a complete run is not changed.

        Raises:
            RunError: another process trains here. Without `overwrite` also: the folder contains a run with a different
                configuration, or damaged files.
        """
        from filelock import FileLock  # not needed to read a run

        self.path.mkdir(parents=True, exist_ok=True)
        with FileLock(self.path / ".lock"):
            self._check_idle(overwrite)
            for temporary in (*self.path.glob(TEMPORARY), *self.path.glob(f"checkpoints/{TEMPORARY}")):
                temporary.unlink()  # left by a process that was killed
            if overwrite:
                self._delete_run()
            file = self.path / ".hydra" / "config.yaml"
            started = self.last_checkpoint.exists() or self.metrics.get("status") in (Status.RUNNING, Status.COMPLETE)
            if started and file.exists():
                self._check_configuration(config)
            else:
                file.parent.mkdir(exist_ok=True)
                write_text(file.parent / "overrides.yaml", yaml.safe_dump(list(overrides)))
                write_text(file, yaml.safe_dump(config, sort_keys=False, allow_unicode=True))
            if self.status == Status.COMPLETE:
                return False
            self.heartbeat.touch()
            self.write_metrics(status=Status.RUNNING, error=None, **this_process(), **facts)
            return True

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
        """Delete what a run wrote, and nothing where no run was. Of a link, what it points to stays."""
        if not self._is_run():
            return
        for folder in (path for name in RUN_FOLDERS if (path := self.path / name).is_symlink()):
            folder.unlink()
        for path in [path for pattern in RUN_FILES for path in self.path.glob(pattern)]:
            path.unlink()
        shutil.rmtree(self.path / "wandb", ignore_errors=True)
        for folder in (path for name in RUN_FOLDERS if (path := self.path / name).is_dir()):
            with suppress(OSError):  # it has files of the user's
                folder.rmdir()

    def _is_run(self) -> bool:
        """Whether a run was here. Other programs have a metrics.json or a .hydra/config.yaml, too."""
        file, ours = self.path / "metrics.json", {"status", "pool", "seed"}
        with suppress(OSError):
            try:
                if ours <= json.loads(file.read_bytes()).keys():
                    return True
            except (ValueError, AttributeError, RecursionError):  # damaged
                return True
        with suppress(RunError):
            if {"model", "optimizer", "trainer"} <= read_config(self.path).keys():
                return True
        return self.last_checkpoint.exists()

    def check_data(self, fingerprints: Mapping[str, str]) -> None:
        """Store the fingerprints of the recordings, by split; if the run resumes, compare them with the stored ones.

        Raises:
            RunError: the recordings of a split are not those that the run began with.
        """
        saved = self.metrics.get("fingerprints", {})
        changed = [split for split in {**saved, **fingerprints} if saved.get(split) != fingerprints.get(split)]
        if saved and changed and self.last_checkpoint.exists():
            raise RunError(
                f"{self.path}: the recordings of {' and '.join(changed)} have changed since this run began, so it "
                "cannot resume; restore them, choose another folder with name=..., or delete that run with "
                "overwrite=true"
            )
        self.write_metrics(fingerprints=dict(fingerprints))

    @contextmanager
    def track_status(self) -> Iterator[None]:
        """Write a heartbeat every few seconds until the block ends; call `prepare` before.

        A signal sets the status to interrupted, an error to failed.
        """
        ended = threading.Event()

        def beat() -> None:
            with suppress(OSError):  # the folder is gone or the disk is full: the run itself reports it
                while not ended.wait(HEARTBEAT):
                    self.heartbeat.touch()

        threading.Thread(target=beat, daemon=True).start()
        try:
            yield
        except BaseException as error:
            message = user_message(error) or f"{type(error).__name__}: {error}"
            failed = isinstance(error, Exception)  # else a signal
            end = {"status": Status.FAILED, "error": message} if failed else {"status": Status.INTERRUPTED}
            with suppress(OSError, RunError):  # on a full disk, the run counts as interrupted
                self.write_metrics(**end)
            raise
        finally:
            ended.set()

    def write_metrics(self, **values: Any) -> None:
        """Add values to metrics.json."""
        write_text(self.path / "metrics.json", json.dumps({**self.metrics, **values}, indent=2) + "\n")
