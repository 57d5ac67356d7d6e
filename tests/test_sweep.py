"""Sweeps: killed, with failed members, with conflicting folders."""

import os
import random
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hydra import compose, initialize_config_dir
from omegaconf import read_write

import overlapped_words.training.sweep  # noqa: F401  registers the resolver fold_suffix
from overlapped_words.runs.folder import RunFolder, Status
from overlapped_words.settings.callback import compose_members, member_folder
from tests.helpers.scripts import ROOT, run, start
from tests.helpers.small_runs import TINY, data, metrics_of

SWEEP = ["model.pool=avg,max", "trainer.max_epochs=3", "data.val_fraction=0.28"]  # 9 validation clips


@pytest.fixture(scope="module")
def home(home: Path) -> Path:
    printed = run("train.py", "-m", *TINY, *data(home), *SWEEP, "name=whole", cwd=home)
    assert "2 of 2 members complete" in printed
    run("ensemble.py", "run_dir=outputs/whole", "html=false", cwd=home)
    return home


def test_a_sweep_killed_at_random_times_equals_an_uninterrupted_one(home: Path) -> None:
    cold = [f"data.root={home / 'Data'}", f"data.cache_dir={home / 'cold'}", "name=killed"]
    command = ["train.py", "-m", *TINY, *SWEEP, *cold]
    duration = sum(metrics_of(member)["train_seconds"] for member in (home / "outputs/whole").glob("*_seed0"))
    seed = int(os.environ.get("KILL_SEED", time.time_ns()))
    print(f"KILL_SEED={seed} repeats these times")  # pytest shows it if the test fails
    times = random.Random(seed)
    for _ in range(2):
        process = start(*command, cwd=home)
        time.sleep(times.uniform(0.3, 1.3) * duration)
        process.kill()
        process.join()
    run(*command, cwd=home)
    run("ensemble.py", "run_dir=outputs/killed", "expect=2", "html=false", cwd=home)
    for file in ("submission.csv", "avg_seed0/predictions.csv", "max_seed0/val_predictions.csv"):
        assert (home / "outputs/killed" / file).read_bytes() == (home / "outputs/whole" / file).read_bytes()
    assert not list(home.rglob("*.tmp"))


def test_members_that_a_sweep_has_not_started_are_waiting(home: Path) -> None:
    sweep = ["model.pool=avg,max", "seed=range(2)", "trainer.max_epochs=500", "name=long"]
    process = start("train.py", "-m", *TINY, *data(home), *sweep, cwd=home)
    folder = home / "outputs/long/avg_seed0"
    while not (folder / "metrics.csv").exists():
        assert process.is_alive()
        time.sleep(0.05)
    during = run("ensemble.py", "run_dir=outputs/long", "status=true", cwd=home)
    printed = run("train.py", *TINY, *data(home), "trainer.max_epochs=500", "name=long", cwd=home, expect=1)
    process.kill()
    process.join()
    assert "avg_seed0  running" in during and "4 members: 3 waiting, 1 running" in during
    assert f"is being trained by process {process.pid}" in printed and "Traceback" not in printed
    assert RunFolder(folder).status == Status.INTERRUPTED


def test_every_member_writes_to_the_folder_of_its_name() -> None:
    for line, folders in (
        ("experiment=smoke,winner", "smoke/avg_seed0 winner/avg_seed0"),
        ("data=competition,words data.root=${hydra:runtime.choices.data}", "competition/avg_seed0 words/avg_seed0"),
        ("model.width=2,3 data.fold=1 name=w${model.width}", "w2/avg_seed0_fold1 w3/avg_seed0_fold1"),
    ):
        with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
            config = compose("train", ["data=competition", "data.root=competition"], return_hydra_config=True)
            with read_write(config.hydra):
                config.hydra.overrides.task += line.split()
            members = compose_members(config, "train")
        assert [str(member_folder(member).relative_to("outputs")) for member in members] == folders.split()


def test_a_sweep_that_cannot_work_is_an_error_before_it_starts(home: Path) -> None:
    before = sorted(home.rglob("*"))
    for sweep, message in (
        (["seed=0,0"], "avg_seed0; give each its own folder"),
        (["data.root=Data,."], "avg_seed0; give each its own folder"),
        (["seed=0,1", "trainer.devices=2"], "would repeat the sweep in every process; use trainer.strategy=ddp_spawn"),
        (["trainer.devices=1,2", "hydra.sweep.subdir=${hydra.job.num}"], "would repeat the sweep in every process"),
        (
            ["model.pool=avg,median", "model.width=2,wide"],
            "model.pool is 'median'; it should be 'avg' or 'max'\nmodel.width is 'wide'; it should be a valid integer",
        ),
    ):
        printed = run("train.py", "-m", *TINY, *data(home), "name=never", *sweep, cwd=home, expect=1)
        assert all(line in printed for line in message.splitlines())
        assert "Traceback" not in printed and "Warning" not in printed
        assert sorted(home.rglob("*")) == before


def test_a_fast_dev_run_of_a_sweep_leaves_nothing(home: Path, tmp_path: Path) -> None:
    data = [f"data.root={home / 'Data'}", "data.cache_dir=cache"]
    command = ["-m", *TINY, *data, "trainer.fast_dev_run=true", "optimizer=adamw,sgd"]
    printed = run("train.py", *command, "name=smoke_${hydra:runtime.choices.optimizer}", cwd=tmp_path)
    assert printed.count("one batch went through training, validation and prediction") == 2
    assert not list(tmp_path.iterdir())  # a fast_dev_run leaves nothing, and no cache


def test_members_in_one_process_do_not_grow_its_memory(home: Path) -> None:
    run("train.py", "-m", *TINY, *data(home), "seed=range(4)", "name=four", "trainer.max_epochs=1", cwd=home)
    memory = [metrics_of(home / f"outputs/four/avg_seed{seed}")["peak_memory_gb"] for seed in range(4)]
    assert memory[3] < 1.05 * memory[1]


def test_two_devices_take_as_many_steps_as_one_and_validate_every_clip_once(home: Path) -> None:
    two = ["trainer.devices=2", "trainer.strategy=ddp", "trainer.accelerator=cpu", "name=two"]
    run("train.py", *TINY, *data(home), *SWEEP[1:], *two, cwd=home)
    member, single = home / "outputs/two/avg_seed0", home / "outputs/whole/avg_seed0"
    assert [path.name for path in (home / "outputs/two").iterdir()] == ["avg_seed0"]
    epochs = pd.read_csv(member / "metrics.csv")
    assert list(epochs.step) == list(pd.read_csv(single / "metrics.csv").step)
    for table in ("predictions.csv", "val_predictions.csv"):
        ours, theirs = pd.read_csv(member / table), pd.read_csv(single / table)
        assert list(ours.iloc[:, 0]) == list(theirs.iloc[:, 0])
        np.testing.assert_allclose(ours.iloc[:, 1:].sum(axis=1), 1, atol=1e-6)
    ours, theirs = metrics_of(member), metrics_of(single)
    assert ours["status"] == "complete"
    for name in ("kl", "recall", "kl_constant"):  # one of the nine clips is validated on both devices
        assert ours[f"val_{name}"] == pytest.approx(epochs[f"val/{name}"].iloc[-1], rel=1e-4)
    assert abs(ours["val_kl"] - theirs["val_kl"]) < 0.01  # the batches differ; ten times the learning rate gives 0.04
