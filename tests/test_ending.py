"""How a training run ends: exit status, log messages, errors of Lightning and the system."""

import errno
import logging
import multiprocessing
import os
import signal
import time
from types import SimpleNamespace

import pytest
from lightning.pytorch.callbacks import Timer
from lightning.pytorch.utilities.exceptions import MisconfigurationException

from overlapped_words.errors import CacheError, RunError, SettingError
from overlapped_words.runs.folder import RunFolder, Status
from overlapped_words.training.ending import RaiseAgain, clear_end, final_status


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_run_as_interrupted_and_says_that_it_resumes(number, tmp_path, caplog):
    folder = RunFolder(tmp_path)
    folder.write_metrics(status="running", pool="avg", seed=0)
    with pytest.raises(SystemExit, match=f"^{128 + number}$"), folder.track_status(), clear_end(str(tmp_path)):
        os.kill(os.getpid(), number)
    ended = f"ended by {number.name}"
    assert caplog.messages == [f"{ended}; repeat the command to resume from the last completed epoch"]
    assert folder.metrics["status"] == Status.INTERRUPTED
    with pytest.raises(RunError), folder.track_status():
        raise RunError("what failed")
    assert (folder.metrics["status"], folder.metrics["error"]) == (Status.FAILED, "what failed")
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_a_run_without_a_folder_does_not_resume(caplog):
    with pytest.raises(SystemExit, match="130"), clear_end(None):
        os.kill(os.getpid(), signal.SIGINT)
    assert caplog.messages == []


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (SystemExit(7), SystemExit, "^7$"),
        (ValueError("a bug"), ValueError, "^a bug$"),
        (MisconfigurationException("No supported\n gpu found!"), SettingError, "^No supported gpu found!$"),
        (PermissionError(errno.EACCES, "Permission denied", "file"), PermissionError, "Permission denied"),
        (CacheError("no space left on the disk"), CacheError, "^no space left on the disk$"),
    ],
)
def test_errors_of_lightning_are_those_of_a_user_and_others_unchanged(error, kind, message):
    with pytest.raises(kind, match=message), clear_end("/run"):
        raise error


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_signal_whose_exception_is_lost_ends_the_run_after_the_batch():
    class Finalized:
        def __del__(self) -> None:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(SystemExit, match="130"), clear_end(None):
        thing = Finalized()
        del thing  # Python ignores the exception
        RaiseAgain().on_train_batch_end()
        pytest.fail("the signal is lost")


def work() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(600)


def test_a_worker_that_ignores_signals_does_not_outlive_the_run(tmp_path):
    worker = multiprocessing.get_context("fork").Process(target=work, daemon=True)
    with pytest.raises(SystemExit), clear_end(str(tmp_path)):
        worker.start()
        os.kill(os.getpid(), signal.SIGINT)
    worker.join(10)
    assert worker.exitcode == -signal.SIGKILL


def test_a_launchers_signal_handler_is_kept(tmp_path):
    before = signal.signal(signal.SIGTERM, handler := lambda *_: None)
    try:
        with clear_end(str(tmp_path)):
            assert signal.getsignal(signal.SIGTERM) == handler
        assert signal.getsignal(signal.SIGTERM) == handler
    finally:
        signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize(
    ("epochs", "limit", "status"),
    [(3, 1, Status.STOPPED), (20, 1, Status.COMPLETE), (3, 1000, Status.COMPLETE), (3, None, Status.COMPLETE)],
)
def test_a_run_is_stopped_if_its_time_ends_before_its_epochs(epochs, limit, status, caplog):
    timer = Timer(limit and {"seconds": limit})
    timer.load_state_dict({"time_elapsed": {"train": 10.0}})
    with caplog.at_level(logging.WARNING):
        assert final_status(SimpleNamespace(callbacks=[timer]), epochs, 20) == status
    warning = "stopped by trainer.max_time after 3 of 20 epochs; repeat the command with a longer one to resume"
    assert caplog.messages == ([warning] if status == Status.STOPPED else [])
