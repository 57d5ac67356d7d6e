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
from overlapped_words.errors import RunError
from overlapped_words.training import results
from overlapped_words.training.epoch_csv import EpochCSVLogger
from tests.helpers.networks import FEATURES, QUIET, TARGETS, learner


def fit(path: Path, epochs: int = 2, targets: torch.Tensor = TARGETS, every: int = 1, validate: bool = False) -> None:
    trainer = Trainer(
        accelerator="cpu", max_epochs=epochs, callbacks=[EpochCSVLogger(str(path))], log_every_n_steps=every, **QUIET
    )
    clean = DataLoader(list(zip(FEATURES, TARGETS, strict=True)), batch_size=2)
    loader = DataLoader(list(zip(FEATURES, targets, strict=True)), batch_size=2)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        trainer.fit(learner(), clean if validate else loader, loader if validate else None)


def test_each_epoch_is_a_row_and_a_line_and_a_long_one_logs_its_progress(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(progress, "INTERVAL", 0.0)
    fit(tmp_path / "metrics.csv")
    table = pd.read_csv(tmp_path / "metrics.csv")
    assert table["epoch"].tolist() == [0, 1] and table["train/clips"].tolist() == [4, 4]
    lines = [record.message for record in caplog.records if record.name.endswith((".epoch_csv", ".progress"))]
    steps = [f"training: {25 * step}% ({step} of 4 steps)" for step in (1, 2, 3, 4)]
    for line, start in zip(lines, [*steps[:2], "epoch 1 of 2: train/loss ", *steps[2:], "epoch 2 of 2: "], strict=True):
        assert line.startswith(start)
    assert lines[2].endswith(" s left") and "left" not in lines[-1]


@pytest.mark.parametrize(("every", "validate"), [(1, False), (0, False), (0, True)])
def test_a_loss_that_is_not_finite_ends_the_training(tmp_path: Path, every: int, validate: bool) -> None:
    targets = TARGETS.clone()
    targets[3] = torch.nan
    with pytest.raises(RunError, match=r"the training diverged in epoch 1, its loss is nan; lower optimizer\.lr"):
        fit(tmp_path / "metrics.csv", 2, targets, every, validate)


def test_predictions_that_are_not_finite_are_an_error() -> None:
    model = learner()
    torch.nn.init.constant_(model.network.dense[-1].weight, torch.nan)

    loader = DataLoader(list(zip(FEATURES, TARGETS, strict=True)), batch_size=2)
    data = SimpleNamespace(fixed_splits={"val": range(4)}, predict_dataloader=lambda: [loader], to_features=lambda x: x)
    with pytest.raises(RunError, match="diverged in its last step, its predictions of the val clips are not finite"):
        results.predict(model, data, torch.device("cpu"))
