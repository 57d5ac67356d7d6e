"""What training writes and logs, and its end when the loss is not finite."""

import logging
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
import torch
from lightning import Trainer
from torch.utils.data import DataLoader

from datamodules import progress
from datamodules.progress import Progress
from overlapped_words.errors import RunError
from overlapped_words.training import results
from overlapped_words.training.epoch_csv import EpochCSVLogger
from tests.helpers.networks import FEATURES, QUIET, TARGETS, learner


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
