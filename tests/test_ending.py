"""How a training run ends and what it logs: exit status, epochs, progress, errors of Lightning and of the loss."""

import errno
import logging
import multiprocessing
import os
import signal
import time
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
import torch
from lightning import Trainer
from lightning.pytorch.callbacks import Timer
from lightning.pytorch.utilities.exceptions import MisconfigurationException
from torch.utils.data import DataLoader

from datamodules import progress
from datamodules.progress import Progress
from overlapped_words.errors import CacheError, RunError, SettingError
from overlapped_words.runs.folder import RunFolder, Status
from overlapped_words.training import results
from overlapped_words.training.ending import RaiseAgain, clear_end, final_status
from overlapped_words.training.epoch_csv import EpochCSVLogger
from tests.helpers.networks import FEATURES, QUIET, TARGETS, learner


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


def test_errors_of_lightning_are_those_of_a_user_and_others_unchanged():
    for error, kind, message in (
        (SystemExit(7), SystemExit, "^7$"),
        (ValueError("a bug"), ValueError, "^a bug$"),
        (MisconfigurationException("No supported\n gpu found!"), SettingError, "^No supported gpu found!$"),
        (PermissionError(errno.EACCES, "Permission denied", "file"), PermissionError, "Permission denied"),
        (OSError(errno.ENOSPC, "No space left"), RunError, "^/run: No space left; free some, and repeat the command"),
        (CacheError("no space left on the disk"), CacheError, "^no space left on the disk$"),
    ):
        with pytest.raises(kind, match=message), clear_end("/run"):
            raise error


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_signal_whose_exception_is_lost_ends_a_run_after_the_batch_and_without_a_folder_nothing_resumes(caplog):
    class Finalized:
        def __del__(self) -> None:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(SystemExit, match="130"), clear_end(None):
        thing = Finalized()
        del thing  # Python ignores the exception
        RaiseAgain().on_train_batch_end()
        pytest.fail("the signal is lost")
    assert caplog.messages == []


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


def fit(path: Path, epochs: int = 2, targets: torch.Tensor = TARGETS, every: int = 1, validate: bool = False) -> None:
    options = {"max_epochs": epochs, "log_every_n_steps": every, **QUIET}
    trainer = Trainer(accelerator="cpu", callbacks=[EpochCSVLogger(str(path))], **options)
    clean = DataLoader(list(zip(FEATURES, TARGETS, strict=True)), batch_size=2)
    loader = DataLoader(list(zip(FEATURES, targets, strict=True)), batch_size=2)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        trainer.fit(learner(), clean if validate else loader, loader if validate else None)


def test_each_epoch_is_a_row_and_a_line_and_a_long_one_logs_its_progress(tmp_path: Path, caplog, monkeypatch) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(progress, "INTERVAL", 0.0)
    fit(tmp_path / "metrics.csv")
    table = pd.read_csv(tmp_path / "metrics.csv")
    assert table["epoch"].tolist() == [0, 1] and table["train/clips"].tolist() == [4, 4]
    lines = [record.message for record in caplog.records if record.name.endswith((".epoch_csv", ".progress"))]
    steps = [f"training: {25 * step}% ({step} of 4 steps)" for step in (1, 2, 3, 4)]
    for line, start in zip(lines, [*steps[:2], "epoch 1 of 2: train/loss ", *steps[2:], "epoch 2 of 2: "], strict=True):
        assert line.startswith(start)
    assert lines[2].endswith(" left") and "left" not in lines[-1]


def test_a_loss_or_predictions_that_are_not_finite_end_the_training(tmp_path: Path) -> None:
    targets = TARGETS.clone()
    targets[3] = torch.nan
    for every, validate in ((1, False), (0, False), (0, True)):
        with pytest.raises(RunError, match=r"the training diverged in epoch 1, its loss is nan; lower optimizer\.lr"):
            fit(tmp_path / f"{every}{validate}.csv", 2, targets, every, validate)
    model = learner()
    torch.nn.init.constant_(model.network.dense[-1].weight, torch.nan)
    loader = DataLoader(list(zip(FEATURES, TARGETS, strict=True)), batch_size=2)
    data = SimpleNamespace(fixed_splits={"val": range(4)}, predict_dataloader=lambda: [loader], to_features=lambda x: x)
    with pytest.raises(RunError, match="diverged in its last step, its predictions of the val clips are not finite"):
        results.predict(model, data, torch.device("cpu"))


def test_without_a_terminal_a_line_per_minute_states_progress_and_time_left(monkeypatch, caplog):
    now = [1000.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    caplog.set_level(logging.INFO)
    with Progress(100_000, "features", done=6_000) as bar:  # 6,000 by an earlier process do not count for the speed
        for _ in range(300):
            now[0] += 1.0
            bar.update(100)
    assert len(caplog.messages) == 5
    assert caplog.messages[0] == "features: 12% (12,000 of 100,000 clips), 0:14:40 left"
    assert caplog.messages[-1] == "features: 36% (36,000 of 100,000 clips), 0:10:40 left"
