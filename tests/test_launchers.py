"""Sweeps whose members run in parallel: results equal those of members trained one after the other."""

from pathlib import Path

import pytest
from hydra.core.hydra_config import HydraConfig

from overlapped_words import cli  # noqa: F401  which registers the resolvers of conf/
from overlapped_words.training.run import hydra_job
from tests.helpers.composed import configuration
from tests.helpers.scripts import ENVIRONMENT, ROOT, fresh, run
from tests.helpers.small_runs import TINY, crash, metrics_of

TINIER = [*TINY, "trainer.max_epochs=1", "callbacks.dashboard=null", "callbacks.learning_rate=null", "~logger"]
LAUNCHERS = {
    "basic": [],
    "joblib": ["hydra.launcher.n_jobs=2"],
    "submitit_local": [],
    "submitit_slurm": ["hydra.launcher.cpus_per_task=1", "hydra.launcher.timeout_min=5"],
    "ray": [],
}


def sweep(home: Path, launcher: str, *arguments: str, expect: int = 0) -> str:
    """A sweep in a folder named after its launcher, with a cache of its own -> all it printed."""
    data = [f"data.root={home / 'Data'}", f"data.cache_dir={home / 'cache' / launcher}", "data.num_workers=1"]
    name = "name=${hydra:runtime.choices.hydra/launcher}"
    options = [f"hydra/launcher={launcher}", *LAUNCHERS[launcher], name, *arguments]
    if launcher == "basic":
        return run("train.py", "-m", *TINIER, *data, *options, cwd=home)
    # Not by run: the launchers' processes end only when a whole interpreter exits. A member uses one of two threads.
    done = fresh(ROOT / "train.py", "-m", *TINIER, *data, *options, cwd=home, OMP_NUM_THREADS="2")
    assert done.returncode == expect, done.stdout + done.stderr
    return done.stdout + done.stderr


def assert_equal_to_basic(home: Path, launcher: str) -> None:
    tables = list((home / "outputs" / launcher).glob("*/*predictions.csv"))
    for table in tables:
        assert table.read_bytes() == (home / "outputs/basic" / table.parent.name / table.name).read_bytes()
    assert len({table.read_bytes() for table in tables}) == len(tables) > 0
    # They started on an empty cache at the same time, and each of its arrays was built by one of them alone.
    logs = [path.read_text() for path in (home / "outputs" / launcher).glob("*/train.log")]
    arrays = list((home / "cache" / launcher).glob("*.npy"))
    assert sum(log.count(" clips to ") for log in logs) == len(arrays) > 0


@pytest.fixture(scope="module")
def home(home: Path) -> Path:
    sweep(home, "basic", "seed=1,2")
    return home


@pytest.mark.parametrize(
    ("launcher", "seeds"),
    [
        ("submitit_local", "2"),  # one member, because each imports everything
        pytest.param("submitit_slurm", "1,2", marks=pytest.mark.slurm),
        pytest.param("ray", "1,2", marks=pytest.mark.ray),
    ],
)
def test_members_in_parallel_equal_those_one_after_the_other(home: Path, launcher: str, seeds: str) -> None:
    sweep(home, launcher, f"seed={seeds}")
    assert_equal_to_basic(home, launcher)


def test_a_failed_member_does_not_stop_the_others(home: Path) -> None:
    failing = crash("'${seed}'", home / "crashed")
    printed = sweep(home, "joblib", "seed=1,0,2", failing, expect=1)
    assert "crashed on purpose" in printed and "2 of 3 members complete" in printed
    assert "avg_seed0: not complete, its training failed (" in printed and "Repeat the command, after" in printed
    assert_equal_to_basic(home, "joblib")
    shown = run("ensemble.py", "run_dir=outputs/joblib", "status=true", cwd=home)
    lines = {line.split()[0]: line for line in shown.splitlines() if line}
    assert "failed" in lines["avg_seed0"] and "crashed on purpose" in lines["avg_seed0"]
    kl = metrics_of(home / "outputs" / "joblib" / "avg_seed2")["val_kl"]
    assert "complete" in lines["avg_seed2"] and "1 of 1" in lines["avg_seed2"] and f"{kl:.4f}" in lines["avg_seed2"]
    assert "3 members: 2 complete, 1 failed" in shown


@pytest.mark.parametrize(("job", "number"), [(["+hydra.job.num=5"], 5), ([], 0)])
def test_members_know_their_number_in_the_sweep(monkeypatch: pytest.MonkeyPatch, job: list[str], number: int) -> None:
    cfg = configuration("train", *job, "hydra.runtime.output_dir=here", hydra=True)
    monkeypatch.setattr(HydraConfig.instance(), "cfg", cfg)
    assert hydra_job() == ([], number)


@pytest.mark.parametrize(("gpu", "accelerator", "jobs"), [(False, "auto", 3), (True, "auto", 1), (True, "cpu", 3)])
def test_by_default_one_job_per_core_or_one_on_a_gpu(monkeypatch, gpu: bool, accelerator: str, jobs: int) -> None:
    monkeypatch.setattr("joblib.cpu_count", lambda: 3)
    monkeypatch.setattr("torch.cuda.is_available", lambda: gpu)
    cfg = configuration("train", f"trainer.accelerator={accelerator}", hydra=True)
    assert cfg.hydra.launcher.n_jobs == jobs


def test_a_shell_in_an_allocation_of_slurm_trains_on_one_device(home: Path) -> None:
    slurm = {"NTASKS": "4", "NTASKS_PER_NODE": "4", "JOB_ID": "1", "JOB_NAME": "job", "PROCID": "0", "LOCALID": "0"}
    environment = {**ENVIRONMENT, **{f"SLURM_{name}": value for name, value in slurm.items()}}
    options = [*TINIER, "data.root=Data", "data.cache_dir=cache", "name=slurm"]
    run("train.py", *options, cwd=home, environment=environment)
    assert (home / "outputs" / "slurm" / "avg_seed0" / "predictions.csv").exists()
