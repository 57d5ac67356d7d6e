"""What docs/extend.md adds, in a copy of the project: no existing file changes, and everything works together.

tests/test_docs.py runs the commands of the page, which use one at a time.
"""

from pathlib import Path

import pandas as pd
import pytest

from tests.helpers.fake_recordings import write_word_folder
from tests.helpers.pages import files
from tests.helpers.scripts import ENVIRONMENT, copy_project, run
from tests.helpers.small_runs import TINY_WORDS, metrics_of


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = copy_project(tmp_path_factory.mktemp("copy"))
    for path, text in files(["docs/extend.md"]):
        assert not (root / path).exists(), f"{path} exists: the page says that no existing file changes"
        (root / path).write_text(text, encoding="utf-8")
    write_word_folder(root / "words")
    return root


def call(copy: Path, script: str, *arguments: str, expect: int = 0) -> str:
    environment = {**ENVIRONMENT, "XDG_CACHE_HOME": str(copy / "cache")}
    return run(script, *arguments, cwd=copy, root=copy, environment=environment, expect=expect)


def test_all_of_them_in_one_sweep(copy: Path) -> None:
    chosen = ["model=recurrent", "model.width=4", "optimizer=sign_sgd", "schedule=linear", "augment=loudness"]
    call(copy, "train.py", "-m", *TINY_WORDS, *chosen, "logger=csv", "seed=0,1", "name=own")
    member = copy / "outputs" / "own" / "recurrent_seed0"
    metrics = metrics_of(member)
    assert metrics["status"] == "complete" and metrics["pool"] == "recurrent"
    assert 0 <= metrics["val_top1"] <= 1 and 0 <= metrics["test_top1"] <= 1
    assert "val/top1" in pd.read_csv(member / "metrics.csv")
    (logged,) = member.rglob("csv/**/metrics.csv")
    assert pd.read_csv(logged)["final/val_kl"].dropna().item() == pytest.approx(metrics["val_kl"])
    assert "optimizer.lr" in logged.with_name("hparams.yaml").read_text()
    printed = call(copy, "ensemble.py", "run_dir=outputs/own", "html=false")
    table = pd.read_csv(copy / "outputs" / "own" / "members.csv")
    assert table["val_top1"].notna().all() and "top1" in printed
    assert "\n- **top1**: " in (copy / "outputs" / "own" / "report.md").read_text()
    clip = next((copy / "words").rglob("*.wav"))
    assert "%" in call(copy, "predict.py", "run_dir=outputs/own", f"input={clip}")


def test_their_annotations_are_checked(copy: Path) -> None:
    for arguments, message in (
        (["optimizer=sign_sgd", "optimizer.lr=0"], "optimizer.lr is 0; it should be greater than 0"),
        (["model=recurrent", "model.width=-1"], "model.width is -1; it should be greater than or equal to 1"),
        (["augment=loudness", "augment.transforms.0.decibel=a"], "augment.transforms.0.decibel is 'a'; it should be"),
        (["data=listed", "data.table=nix"], "data.table is 'nix'; no such file"),
    ):
        printed = call(copy, "train.py", *arguments, expect=1)
        assert message in printed and "Traceback" not in printed
