"""logger=wandb and logger=mlflow, without a network; tests/test_extend.py has another logger of Lightning."""

from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.helpers.runtime import needs
from tests.helpers.scripts import run
from tests.helpers.small_runs import TINY, crash, data, metrics_of


def crash_and_resume(home: Path, logger: str) -> Path:
    """A sweep of two members whose first one crashes in its second epoch, and then resumes -> the sweep's folder."""
    options = ["-m", *TINY, *data(home), f"logger={logger}", f"name={logger}", "seed=0,1"]
    run("train.py", *options, crash(1, home / logger), cwd=home, expect=1)
    printed = run("train.py", *options, cwd=home)
    assert "resuming from" in printed and "2 of 2 members complete" in printed
    return home / "outputs" / logger


@pytest.mark.parametrize("logger", ["wandb", "mlflow"])
@pytest.mark.skipif(find_spec("wandb") is not None, reason="the packages are installed")
def test_a_missing_package_is_an_error_before_training(home: Path, logger: str) -> None:
    printed = run("train.py", *TINY, *data(home), f"logger={logger}", "name=missing", cwd=home, expect=1)
    assert f"logger.{logger}: ModuleNotFoundError: " in printed and "Traceback" not in printed


@needs("wandb")
def test_wandb_has_one_run_per_member(home: Path) -> None:
    sweep = crash_and_resume(home, "wandb")
    runs = {seed: sorted((sweep / f"avg_seed{seed}" / "wandb").glob("offline-run-*")) for seed in (0, 1)}
    assert [len(folders) for folders in runs.values()] == [2, 1]  # W&B makes a folder per process
    ids = [{folder.name.rpartition("-")[2] for folder in folders} for folders in runs.values()]
    assert len(ids[0]) == len(ids[1]) == 1 and ids[0] != ids[1]
    media = {path.parent.name for path in runs[0][0].glob("files/media/**/*.*")}
    assert {"features", "features_augmented", "audio", "text"} <= media
    assert list(runs[0][1].glob("files/media/images/predicted_and_true*"))


@needs("mlflow")
def test_mlflow_has_one_run_per_member(home: Path) -> None:
    import mlflow
    from mlflow import MlflowClient

    sweep = crash_and_resume(home, "mlflow")
    store = f"sqlite:///{home}/outputs/mlflow.db"
    mlflow.set_tracking_uri(store)
    found = mlflow.search_runs(experiment_names=["mlflow"]).set_index("tags.mlflow.runName").sort_index()
    assert list(found.index) == ["mlflow/avg_seed0", "mlflow/avg_seed1"]
    assert list(found.status) == ["FINISHED"] * 2 and list(found["params.seed"]) == ["0", "1"]
    for seed, row in enumerate(found.itertuples()):
        client, kl = MlflowClient(store), metrics_of(sweep / f"avg_seed{seed}")["val_kl"]
        assert client.get_run(row.run_id).data.metrics["final/val_kl"] == pytest.approx(kl)
        assert len({point.step for point in client.get_metric_history(row.run_id, "val/kl")}) == 2
        artifacts = {item.path for item in client.list_artifacts(row.run_id)}
        assert {"audio", "text", "features", "features_augmented", "predicted_and_true"} == artifacts
