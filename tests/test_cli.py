"""Complete runs of the scripts on a small competition."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from lightning_modules.metrics.kl import kl
from overlapped_words.errors import UserError
from overlapped_words.runs.folder import RunFolder
from overlapped_words.training.run import find_checkpoint, train
from tests.helpers.composed import settings_of
from tests.helpers.scripts import run
from tests.helpers.small_runs import TINY, WORDS, data, metrics_of, write_data


@pytest.fixture(scope="module")
def home(home: Path) -> Path:
    run("train.py", "-m", *TINY, *data(home), "model.pool=avg,max", cwd=home)
    return home


@pytest.fixture
def members(home: Path) -> Path:
    return home / "outputs" / "smoke"


def test_a_sweep_writes_one_folder_per_member(home: Path, members: Path) -> None:
    folders = sorted(path for path in members.iterdir() if path.is_dir())
    assert [member.name for member in folders] == ["avg_seed0", "max_seed0"]
    for member in folders:
        metrics = metrics_of(member)
        assert metrics["status"] == "complete" and f"{metrics['pool']}_seed{metrics['seed']}" == member.name
        assert metrics["val_kl"] == metrics["objective"] and metrics["train_seconds"] > 0
        assert {"git_commit", "versions", "command", "peak_memory_gb", "clips_per_second"} <= set(metrics)
        assert (member / ".hydra" / "config.yaml").exists() and (member / "train.log").read_text()
        assert len(pd.read_csv(member / "metrics.csv")) == metrics["epochs"] == 2
        assert {path.name for path in (member / "checkpoints").iterdir()} == {"last.ckpt", "best.ckpt"}
        predictions = pd.read_csv(member / "predictions.csv")
        wanted = pd.read_csv(home / "Data" / "submission.csv")
        assert list(predictions.columns) == list(wanted.columns) and list(predictions.id) == list(wanted.id)
        np.testing.assert_allclose(predictions[WORDS].sum(axis=1), 1, atol=1e-6)
        assert list(pd.read_csv(member / "val_predictions.csv").id) == list(pd.read_csv(member / "val_answers.csv").id)
    member = members / "max_seed0"
    probs, targets = (pd.read_csv(member / f"val_{name}.csv")[WORDS].to_numpy() for name in ("predictions", "answers"))
    assert metrics_of(member)["val_kl"] == pytest.approx(kl(targets, probs).mean(), abs=1e-5)


def test_repeating_a_sweep_skips_complete_members_and_resumes_the_others(home: Path, members: Path) -> None:
    interrupted = members / "max_seed0"
    before = {path: path.read_bytes() for path in members.glob("*/*predictions.csv")}
    (interrupted / "metrics.json").write_text(json.dumps(metrics_of(interrupted) | {"status": "running"}))
    (interrupted / "predictions.csv").unlink()
    printed = run("train.py", "-m", *TINY, *data(home), "model.pool=avg,max", cwd=home)
    assert printed.count("is complete, nothing to do") == 1
    assert printed.count("resuming from") == 1 and "max_seed0/checkpoints/last.ckpt" in printed
    assert metrics_of(interrupted)["status"] == "complete"
    assert {path: path.read_bytes() for path in members.glob("*/*predictions.csv")} == before


def test_a_run_stopped_by_its_time_limit_resumes_and_equals_the_member_of_a_sweep(home: Path, members: Path) -> None:
    options = [*TINY, *data(home), "name=timed"]
    member = home / "outputs" / "timed" / "avg_seed0"
    printed = run("train.py", *options, "+trainer.max_time={milliseconds: 1}", cwd=home)
    assert "stopped by trainer.max_time after 1 of 2 epochs; repeat the command with a longer one to resume" in printed
    metrics = metrics_of(member)
    assert metrics["status"] == "stopped" and metrics["epochs"] == 1 and metrics["val_kl"] > 0
    assert (member / "predictions.csv").exists()
    run("train.py", *options, "+trainer.max_time=00:01:00:00", cwd=home)
    assert metrics_of(member)["status"] == "complete"
    assert (member / "predictions.csv").read_bytes() == (members / "avg_seed0" / "predictions.csv").read_bytes()


def test_a_different_configuration_or_a_checkpoint_of_other_words_is_an_error(home: Path, members: Path) -> None:
    config = members / "avg_seed0" / ".hydra" / "config.yaml"
    before = config.read_bytes()
    printed = run("train.py", *TINY, *data(home), "optimizer.lr=0.007", cwd=home, expect=1)
    assert "optimizer.lr: saved 0.003, current 0.007" in printed and "name=" in printed and "overwrite=true" in printed
    assert "Traceback" not in printed and config.read_bytes() == before
    write_data(home / "Other")
    for name in ("train_answer.csv", "submission.csv"):
        table = home / "Other" / name
        table.write_text(table.read_text().replace("영", "zero"))
    options = ["data.root=Other", f"ckpt_path={members / 'avg_seed0/checkpoints/last.ckpt'}", "name=other"]
    printed = run("train.py", *TINY, *data(home), *options, cwd=home, expect=1)
    assert "영" in printed and "zero" in printed and "last.ckpt" in printed and "Traceback" not in printed


def test_overwriting_keeps_the_old_run_until_the_new_one_can_begin(home: Path, members: Path) -> None:
    member = members / "avg_seed0"
    before = (member / "metrics.json").read_bytes()
    for setting, message in (
        (f"data.root={home / 'nix'}", "nix: no such folder"),
        (f"ckpt_path={member / 'checkpoints' / 'last.ckpt'}", "overwrite=true would delete .*last.ckpt, with which"),
        (f"teacher={members}", "overwrite=true would delete"),
    ):
        with pytest.raises(UserError, match=message):
            train(settings_of("train", *TINY, *data(home), f"run_dir={member}", "overwrite=true", setting))
    assert (member / "metrics.json").read_bytes() == before and (member / "checkpoints" / "last.ckpt").exists()
    own, other = RunFolder(member), str(members / "max_seed0" / "checkpoints" / "last.ckpt")
    assert find_checkpoint(other, own, WORDS) == own.last_checkpoint  # where a run left off, not where it began
    assert find_checkpoint(other, RunFolder(home), WORDS) == Path(other)


def test_callbacks_loggers_and_validation_can_be_off(home: Path, members: Path) -> None:
    off = ["logger=null", *(f"callbacks.{name}=null" for name in ("best", "learning_rate", "progress"))]
    options = [option for option in TINY if not option.startswith("callbacks")]
    run("train.py", *options, *data(home), "name=off", *off, "callbacks.dashboard=null", cwd=home)
    member = home / "outputs" / "off" / "avg_seed0"
    assert {path.name for path in (member / "checkpoints").iterdir()} == {"last.ckpt"}
    assert not (member / "tensorboard").exists()
    assert (member / "predictions.csv").read_bytes() == (members / "avg_seed0" / "predictions.csv").read_bytes()
    run("train.py", *TINY, *data(home), "name=all", "data.val_fraction=0", cwd=home)
    member = home / "outputs" / "all" / "avg_seed0"
    assert [path.name for path in (member / "checkpoints").iterdir()] == ["last.ckpt"]
    assert not (member / "val_predictions.csv").exists() and (member / "predictions.csv").exists()
    metrics = metrics_of(member)
    assert "val_kl" not in metrics and metrics["objective"] == metrics["train_loss"]
    assert pd.read_csv(member / "metrics.csv").step.iloc[0] == 32 // 8


def test_tensorboard_has_curves_audio_plots_and_hparams(members: Path) -> None:
    tags: dict[str, set[str]] = {}
    for file in (members / "max_seed0" / "tensorboard").glob("events*"):
        events = EventAccumulator(str(file))
        events.Reload()
        for kind, found in events.Tags().items():
            if isinstance(found, list):
                tags.setdefault(kind, set()).update(found)
        if "_hparams_/session_start_info" in events.summary_metadata:
            settings = events.PluginTagToContent("hparams")["_hparams_/session_start_info"]
    training = {"train/loss_epoch", "train/clips_per_second", "lr-Muon/kernels"}
    assert training | {"val/kl", "val/recall", "val/kl_constant", "final/val_kl"} <= tags["scalars"]
    assert {"features/clip_0", "features_augmented/clip_0", "predicted_and_true"} <= tags["images"]
    assert "clip_0" in tags["audio"]
    assert "network/text_summary" in tags["tensors"]
    assert b"optimizer.lr" in settings and b"model.pool" in settings


def test_predictions_from_checkpoints_alone_equal_those_of_training(home: Path, members: Path) -> None:
    run("predict.py", f"run_dir={members}", "input=Data/test", "output=probs.csv", cwd=home)
    probs = pd.read_csv(home / "probs.csv").set_index("id")
    tables = [pd.read_csv(path).set_index("id") for path in sorted(members.glob("*/predictions.csv"))]
    assert len(tables) == 2
    np.testing.assert_allclose(probs, (sum(tables) / 2).loc[probs.index], atol=1e-4)  # features from a float16 cache


def test_one_recording_gives_its_likely_words(home: Path) -> None:
    clip = shutil.copy(home / "Data" / "test" / "test_000.flac", home / "한글, a=b.FLAC")
    checkpoint = "ckpt_path=outputs/smoke/avg_seed0/checkpoints/best.ckpt"
    printed = run("predict.py", checkpoint, f"input={clip}", "top=2", cwd=home)
    shown = [line.split() for line in printed.splitlines() if "%" in line]
    assert len(shown) == 2 and {line[0] for line in shown} < set(WORDS)
    assert float(shown[0][1].rstrip("%")) >= float(shown[1][1].rstrip("%"))


def test_a_run_that_never_trained_can_be_replaced(home: Path) -> None:
    (home / "empty").mkdir()
    printed = run("train.py", *TINY, "data.root=empty", "name=corrected", cwd=home, expect=1)
    assert "empty/train_answer.csv" in printed and "Traceback" not in printed
    member = home / "outputs" / "corrected" / "avg_seed0"
    assert metrics_of(member)["status"] == "failed"
    run("train.py", *TINY, *data(home), "name=corrected", cwd=home)
    assert metrics_of(member)["status"] == "complete"


@pytest.mark.parametrize("script", ["train.py", "predict.py", "ensemble.py", "export.py", "app.py"])
def test_help_shows_commands_worth_copying(script: str, tmp_path: Path) -> None:
    assert run(script, "--help", cwd=tmp_path).count(f"python {script}") >= 3
    assert not list(tmp_path.iterdir())
