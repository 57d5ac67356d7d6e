"""Complete runs of the scripts on a small competition."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.helpers.scripts import run
from tests.helpers.small_runs import TINY, WORDS, data, write_data


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a competition and a complete sweep of four members over it."""
    home = tmp_path_factory.mktemp("home")
    write_data(home / "Data")
    run("train.py", "-m", *TINY, *data(home), "model.pool=avg,max", "seed=range(2)", cwd=home)
    return home


def test_a_sweep_writes_one_folder_per_member(home: Path) -> None:
    members = home / "outputs" / "smoke"
    names = ["avg_seed0", "avg_seed1", "max_seed0", "max_seed1"]
    assert sorted(path.name for path in members.iterdir() if path.is_dir()) == names
    for name in names:
        member = members / name
        metrics = json.loads((member / "metrics.json").read_text())
        assert metrics["status"] == "complete" and f"{metrics['pool']}_seed{metrics['seed']}" == name
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
    weights = [torch.load(members / name / "checkpoints/last.ckpt", weights_only=True) for name in names[:2]]
    assert not torch.equal(*(checkpoint["state_dict"]["network.stem.weight"] for checkpoint in weights))


def test_val_kl_is_that_of_the_table(home: Path) -> None:
    member = home / "outputs" / "smoke" / "max_seed1"
    probs = pd.read_csv(member / "val_predictions.csv")[WORDS].to_numpy()
    targets = pd.read_csv(member / "val_answers.csv")[WORDS].to_numpy()
    kl = np.where(targets > 0, targets * np.log(np.maximum(targets, 1e-9) / probs), 0).sum(axis=1).mean()
    assert json.loads((member / "metrics.json").read_text())["val_kl"] == pytest.approx(kl, abs=1e-5)


def test_repeating_a_sweep_skips_complete_members_and_resumes_the_others(home: Path) -> None:
    members = home / "outputs" / "smoke"
    interrupted = members / "avg_seed1"
    before = {path: path.read_bytes() for path in members.glob("*/*predictions.csv")}
    metrics = json.loads((interrupted / "metrics.json").read_text())
    (interrupted / "metrics.json").write_text(json.dumps({**metrics, "status": "running"}))
    (interrupted / "predictions.csv").unlink()
    printed = run("train.py", "-m", *TINY, *data(home), "model.pool=avg,max", "seed=range(2)", cwd=home)
    assert printed.count("is complete, nothing to do") == 3
    assert printed.count("resuming from") == 1 and "avg_seed1/checkpoints/last.ckpt" in printed
    assert json.loads((interrupted / "metrics.json").read_text())["status"] == "complete"
    assert {path: path.read_bytes() for path in members.glob("*/*predictions.csv")} == before


def test_a_run_stopped_by_its_time_limit_resumes_with_a_longer_one(home: Path) -> None:
    options = [*TINY, *data(home), "name=timed"]
    member = home / "outputs" / "timed" / "avg_seed0"
    printed = run("train.py", *options, "+trainer.max_time={milliseconds: 1}", cwd=home)
    assert "stopped by trainer.max_time after 1 of 2 epochs; repeat the command with a longer one to resume" in printed
    metrics = json.loads((member / "metrics.json").read_text())
    assert metrics["status"] == "stopped" and metrics["epochs"] == 1 and metrics["val_kl"] > 0
    assert (member / "predictions.csv").exists()
    run("train.py", *options, "+trainer.max_time=00:01:00:00", cwd=home)
    assert json.loads((member / "metrics.json").read_text())["status"] == "complete"
    whole = home / "outputs" / "smoke" / "avg_seed0"
    assert (member / "predictions.csv").read_bytes() == (whole / "predictions.csv").read_bytes()


def test_a_different_configuration_is_an_error_with_the_difference(home: Path) -> None:
    options = [*TINY, *data(home), "optimizer.lr=0.007"]
    config = home / "outputs" / "smoke" / "avg_seed0" / ".hydra" / "config.yaml"
    before = config.read_bytes()
    printed = run("train.py", *options, cwd=home, expect=1)
    assert "optimizer.lr: saved 0.003, current 0.007" in printed and "name=" in printed and "overwrite=true" in printed
    assert "Traceback" not in printed and config.read_bytes() == before


def test_fast_dev_run_saves_nothing(home: Path) -> None:
    printed = run("train.py", *TINY, *data(home), "name=dry", "trainer.fast_dev_run=true", cwd=home)
    assert "one batch went through training, validation and prediction" in printed
    assert not (home / "outputs" / "dry").exists()


def test_optional_callbacks_and_loggers_can_be_off(home: Path) -> None:
    off = ["logger=null", *(f"callbacks.{name}=null" for name in ("best", "learning_rate", "progress"))]
    options = [option for option in TINY if not option.startswith("callbacks")]
    run("train.py", *options, *data(home), "name=off", *off, "callbacks.dashboard=null", cwd=home)
    member = home / "outputs" / "off" / "avg_seed0"
    assert {path.name for path in (member / "checkpoints").iterdir()} == {"last.ckpt"}
    assert not (member / "tensorboard").exists()
    whole = home / "outputs" / "smoke" / "avg_seed0"
    assert (member / "predictions.csv").read_bytes() == (whole / "predictions.csv").read_bytes()


def test_without_validation_training_uses_all_clips(home: Path) -> None:
    run("train.py", *TINY, *data(home), "name=all", "data.val_fraction=0", cwd=home)
    member = home / "outputs" / "all" / "avg_seed0"
    assert [path.name for path in (member / "checkpoints").iterdir()] == ["last.ckpt"]
    assert not (member / "val_predictions.csv").exists() and (member / "predictions.csv").exists()
    metrics = json.loads((member / "metrics.json").read_text())
    assert "val_kl" not in metrics and metrics["objective"] == metrics["train_loss"]
    assert pd.read_csv(member / "metrics.csv").step.iloc[0] == 32 // 8


def test_tensorboard_has_curves_audio_plots_and_hparams(home: Path) -> None:
    tags: dict[str, set[str]] = {}
    for file in (home / "outputs" / "smoke" / "max_seed0" / "tensorboard").glob("events*"):
        events = EventAccumulator(str(file))
        events.Reload()
        for kind, found in events.Tags().items():
            if isinstance(found, list):
                tags.setdefault(kind, set()).update(found)
        if "_hparams_/session_start_info" in events.summary_metadata:
            settings = events.PluginTagToContent("hparams")["_hparams_/session_start_info"]
    scalars = {
        "train/loss_epoch",
        "val/kl",
        "val/recall",
        "val/kl_constant",
        "lr-Muon/kernels",
        "train/clips_per_second",
    }
    assert scalars | {"final/val_kl"} <= tags["scalars"]
    assert {"features/clip_0", "features_augmented/clip_0", "predicted_and_true"} <= tags["images"]
    assert "clip_0" in tags["audio"]
    assert "network/text_summary" in tags["tensors"]
    assert b"optimizer.lr" in settings and b"model.pool" in settings


def test_predictions_from_checkpoints_alone_equal_those_of_training(home: Path) -> None:
    sweep, table = home / "outputs" / "smoke", home / "probs.csv"
    run("predict.py", f"run_dir={sweep}", f"input={home / 'Data' / 'test'}", f"output={table}", cwd=home)
    probs = pd.read_csv(table).set_index("id")
    members = [pd.read_csv(path).set_index("id") for path in sorted(sweep.glob("*/predictions.csv"))]
    assert len(members) == 4
    np.testing.assert_allclose(probs, (sum(members) / 4).loc[probs.index], atol=1e-4)  # features from a float16 cache


def test_one_recording_gives_its_likely_words(home: Path) -> None:
    clip = home / "한글, a=b.FLAC"
    clip.write_bytes((home / "Data" / "test" / "test_000.flac").read_bytes())
    checkpoint = home / "outputs" / "smoke" / "avg_seed0" / "checkpoints" / "best.ckpt"
    printed = run("predict.py", f"ckpt_path={checkpoint}", f"input={clip}", "top=2", cwd=home)
    shown = [line.split() for line in printed.splitlines() if "%" in line]
    assert len(shown) == 2 and {line[0] for line in shown} < set(WORDS)
    assert float(shown[0][1].rstrip("%")) >= float(shown[1][1].rstrip("%"))


def test_a_list_of_recordings_keeps_its_order(home: Path) -> None:
    (home / "list.txt").write_text("Data/test/test_003.flac\nData/test/test_001.flac\n")
    arguments = [f"run_dir={home / 'outputs/smoke/max_seed0'}", f"input={home / 'list.txt'}", "output=listed.csv"]
    run("predict.py", *arguments, cwd=home)
    assert list(pd.read_csv(home / "listed.csv").id) == ["Data/test/test_003.flac", "Data/test/test_001.flac"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run_dir=outputs/nix", "input=Data/test"], "run_dir is 'outputs/nix'; no such file or folder"),
        (["ckpt_path=Data/submission.csv", "input=Data/test"], "not a checkpoint"),
        (["run_dir=outputs/smoke", "input=nix.wav"], "input is 'nix.wav'; no such file or folder"),
        (["run_dir=outputs/smoke", "input=Data/submission.csv"], "cannot be read as audio"),
        (["run_dir=outputs/smoke", "input=Data/test", "top=0"], "top is 0; it should be greater than or equal to 1"),
        (
            ["run_dir=outputs/smoke", "input=Data/test", "device=cuda"],
            "device is cuda, but PyTorch finds",
        ),
        (["run_dir=outputs/smoke", "ckpt_path=Data/submission.csv", "input=Data/test"], "give either run_dir=FOLDER"),
    ],
)
def test_errors_of_predict(home: Path, arguments: list[str], message: str) -> None:
    printed = run("predict.py", *arguments, "output=never.csv", cwd=home, expect=1)
    assert message in printed and "Traceback" not in printed
    assert not (home / "never.csv").exists()


def test_a_checkpoint_of_other_words_is_an_error(home: Path) -> None:
    write_data(home / "Other")
    for name in ("train_answer.csv", "submission.csv"):
        table = home / "Other" / name
        table.write_text(table.read_text().replace("영", "zero"))
    checkpoint = home / "outputs" / "smoke" / "avg_seed0" / "checkpoints" / "last.ckpt"
    options = [f"data.root={home / 'Other'}", f"data.cache_dir={home / 'cache'}", f"ckpt_path={checkpoint}"]
    printed = run("train.py", *TINY, *options, "name=other", cwd=home, expect=1)
    assert "영" in printed and "zero" in printed and "last.ckpt" in printed and "Traceback" not in printed


def test_a_run_that_never_trained_can_be_replaced(home: Path) -> None:
    (home / "empty").mkdir()
    printed = run("train.py", *TINY, "data.root=empty", "name=corrected", cwd=home, expect=1)
    assert "empty/train_answer.csv" in printed and "Traceback" not in printed
    metrics = home / "outputs" / "corrected" / "avg_seed0" / "metrics.json"
    assert json.loads(metrics.read_text())["status"] == "failed"
    run("train.py", *TINY, *data(home), "name=corrected", cwd=home)
    assert json.loads(metrics.read_text())["status"] == "complete"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["experiment=winner"], "data.root is not set; give data.root=..."),
        (["experiment=distill", "data.root=Data"], "teacher is not set; give teacher=..."),
        (["model.pool=median", *TINY, "data.root=Data"], "model.pool is 'median'; it should be avg or max"),
        (["data=competion"], "data=competion: there is no such option; choose one of competition,"),
        (["ckpt_path=nix.ckpt", *TINY, "data.root=Data"], "ckpt_path is 'nix.ckpt'; no such file"),
        (["callbacks.last=null", *TINY, "data.root=Data"], "callbacks.last is null"),
        (
            ["callbacks.teacher.weight=0.5", *TINY, "data.root=Data"],
            "callbacks.teacher was renamed; use teacher=",
        ),
        (["callbacks.epoch_csv=null", *TINY, "data.root=Data"], "callbacks.epoch_csv is null"),
        (["callbacks=null", "experiment=smoke"], "callbacks.last is null"),
        (
            ["trainer.precision=16-true", *TINY, "data.root=Data"],
            "trainer.precision is 16-true; features are float32, choose auto, 16-mixed",
        ),
    ],
)
def test_errors_of_train(home: Path, arguments: list[str], message: str) -> None:
    printed = run("train.py", *arguments, "name=wrong", "data.cache_dir=cache", cwd=home, expect=1)
    assert message in printed and "Traceback" not in printed


def test_a_mistyped_setting_is_an_error(home: Path) -> None:
    printed = run("train.py", "model.poool=max", cwd=home, expect=1)
    assert printed == "model.poool: there is no such setting; did you mean model.pool?\n"
    printed = run("train.py", "data=competition", "data.root=Data", "data.val_size=3", cwd=home, expect=1)
    assert "data.val_size: there is no such setting here, only with data=speech_commands or data=synthetic" in printed


@pytest.mark.parametrize("script", ["train.py", "predict.py", "ensemble.py", "export.py", "app.py"])
def test_help_shows_commands_worth_copying(script: str, tmp_path: Path) -> None:
    assert run(script, "--help", cwd=tmp_path).count(f"python {script}") >= 3
    assert not list(tmp_path.iterdir())
