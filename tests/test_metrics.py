"""Metrics against hand-computed values and PyTorch; a new file in lightning_modules/metrics is a new metric."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from lightning_modules.metrics import METRICS, mean_metrics, uniform
from lightning_modules.metrics.kl import PROB_FLOOR, kl
from lightning_modules.metrics.recall import recall
from tests.helpers.fake_members import probabilities
from tests.helpers.scripts import ROOT, run
from tests.helpers.small_runs import TINY, data, write_data


def test_kl_by_hand_and_with_torch() -> None:
    targets = np.array([[0.5, 0.5, 0.0], [0.0, 1.0, 0.0], [0.2, 0.3, 0.5], [1.0, 0.0, 0.0]])
    probs = np.array([[0.25, 0.5, 0.25], [0.0, 0.125, 0.875], [0.2, 0.3, 0.5], [0.0, 1.0, 0.0]])
    assert kl(targets, probs) == pytest.approx([0.5 * np.log(2), np.log(8), 0, -np.log(PROB_FLOOR)])
    targets, probs = probabilities(0, 50, 30), probabilities(1, 50, 30)
    targets[targets < 0.02] = 0
    targets /= targets.sum(axis=1, keepdims=True)
    expected = torch.nn.functional.kl_div(torch.from_numpy(probs).log(), torch.from_numpy(targets), reduction="none")
    np.testing.assert_allclose(kl(targets, probs), expected.sum(dim=1).numpy(), rtol=1e-12)


def test_recall_uses_the_clips_own_number_of_words() -> None:
    targets = np.array([[0.5, 0.5, 0, 0], [0.9, 0.1, 0, 0], [0, 0, 1, 0], [0, 0, 1, 0], [0.25] * 4])
    probs = np.array(
        [[0.4, 0.3, 0.2, 0.1], [0.1, 0.4, 0.3, 0.2], [0.1, 0.2, 0.4, 0.3], [0.4, 0.2, 0.3, 0.1], [0.7, 0.1, 0.1, 0.1]]
    )
    assert recall(targets, probs).tolist() == [1, 0.5, 1, 0, 1]
    ties = np.array([[0.4, 0.2, 0.2, 0.2], [0.4, 0.2, 0.2, 0.2]])  # one place for three words
    assert recall(targets[[0, 2]], ties) == pytest.approx([(1 + 1 / 3) / 2, 0])


def test_the_uniform_prediction_is_the_baseline() -> None:
    targets = np.zeros((2, 30), np.float32)
    targets[0, :4] = 0.25
    targets[1, 7] = 1
    assert METRICS["recall"](targets, uniform(targets)) == pytest.approx([4 / 30, 1 / 30])  # of a random guess
    means = mean_metrics(targets, targets)
    assert means == pytest.approx({"kl": 0, "recall": 1, "kl_constant": (np.log(30 / 4) + np.log(30)) / 2})


BRIER = '''"""The quadratic score."""

import numpy as np


def brier(targets: np.ndarray, probs: np.ndarray) -> np.ndarray:
    """Squared distance of target and prediction; lower is better."""
    return np.square(targets - probs).sum(axis=1)
'''


def test_a_new_file_is_a_metric_from_validation_on_two_devices_to_the_report(tmp_path: Path) -> None:
    """Nine validation clips on two devices: one of them is validated twice, and must not count twice."""
    root = tmp_path / "copy"
    for name in ("conf", "datamodules", "lightning_modules", "overlapped_words"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("train.py", "ensemble.py"):
        shutil.copy(ROOT / name, root)
    (root / "lightning_modules" / "metrics" / "brier.py").write_text(BRIER)
    write_data(tmp_path / "Data", num_train=36)
    two = ["trainer.devices=2", "trainer.strategy=ddp", "trainer.accelerator=cpu", "name=two"]
    short = ["trainer.max_epochs=2", "trainer.log_every_n_steps=1", "model.output=set", "augment.mixup=null"]
    printed = run("train.py", *TINY, *data(tmp_path), *two, *short, cwd=tmp_path, root=root)
    member = tmp_path / "outputs" / "two" / "avg_seed0"
    epochs, metrics = pd.read_csv(member / "metrics.csv"), json.loads((member / "metrics.json").read_text())
    assert len(pd.read_csv(member / "val_predictions.csv")) == 9
    for name in ("kl", "recall", "brier", "kl_constant"):
        assert metrics[f"val_{name}"] == pytest.approx(epochs[f"val/{name}"].iloc[-1], rel=1e-4)
    assert 0 < epochs["train/kl"].iloc[-1] < 2 * np.log(3) and "brier" in printed
    assert {"val/brier", "train/kl_step", "train/kl_epoch"} <= tensorboard_tags(member)

    printed = run("ensemble.py", "run_dir=outputs/two", "html=false", cwd=tmp_path, root=root)
    table = pd.read_csv(tmp_path / "outputs" / "two" / "members.csv")
    assert table["val_brier"][0] == pytest.approx(metrics["val_brier"], rel=1e-6) and "val brier" in printed
    report = (tmp_path / "outputs" / "two" / "report.md").read_text(encoding="utf-8")
    assert "- **brier**: Squared distance of target and prediction; lower is better.\n" in report


def tensorboard_tags(member: Path) -> set[str]:
    events = EventAccumulator(str(member / "tensorboard"))
    events.Reload()
    return set(events.Tags()["scalars"])
