"""ensemble.py: its files, its output and its errors."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from overlapped_words.errors import RunError
from tests.helpers import fake_members as fake
from tests.helpers.scripts import combine, run

VALIDATION = ("ensemble_val_predictions.csv", "ensemble_val_answers.csv")
FILES = {"submission.csv", *VALIDATION, "members.csv", "report.md", "model_card.md", "ensemble.json"}


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    for pool in ("avg", "max"):
        for seed in (0, 1):
            fake.write_member(tmp_path / "demo", pool, seed)
    return tmp_path / "demo"


def read(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, index_col=0, dtype={"file name": str})


def test_the_submission_is_the_mean_in_the_order_of_the_members_tables(sweep):
    table = combine(sweep, expect=4)
    assert fake.files_in(sweep) == FILES
    submission, val, answers = (read(sweep / name) for name in ("submission.csv", *VALIDATION))
    assert submission.index.tolist() == fake.IDS and submission.index.name == "file name"
    assert val.index.tolist() == answers.index.tolist() == fake.VAL_IDS
    assert answers.to_numpy().tolist() == fake.VAL_ANSWERS
    assert all(own.columns.tolist() == fake.WORDS for own in (submission, val, answers))
    mean = np.mean([fake.probabilities(key, 3) for key in (0, 1, 1000, 1001)], axis=0)
    np.testing.assert_allclose(submission, mean, rtol=1e-8)
    assert np.abs(submission.sum(axis=1) - 1).max() < 1e-6
    saved = pd.read_csv(sweep / "members.csv")
    assert saved["member"].tolist() == table["member"].tolist()
    assert saved["val_kl"][0] == pytest.approx(table["val_kl"][0])
    combine(sweep / "max_seed1")
    assert fake.files_in(sweep / "max_seed1") > FILES  # an ensemble of one
    np.testing.assert_allclose(read(sweep / "max_seed1" / "submission.csv"), fake.probabilities(1001, 3), rtol=1e-8)


def test_no_files_of_a_split_that_does_not_exist(tmp_path, capsys):
    fake.write_member(tmp_path, "avg", 0, test=False)
    table = combine(tmp_path)
    assert fake.files_in(tmp_path) == FILES - {"submission.csv"}
    assert table["val_kl"].notna().all()
    assert "Submission: none, the members have no predictions.csv" in capsys.readouterr().out
    assert json.loads((tmp_path / "ensemble.json").read_text())["members"][0]["predictions_sha256"] is None
    fake.write_member(tmp_path / "other", "avg", 0, val=False)
    combine(tmp_path / "other")
    assert fake.files_in(tmp_path / "other") == FILES - {*VALIDATION}


def test_partial_combines_the_usable_members_and_names_the_others(sweep, capsys):
    fake.write_member(sweep, "max", 2, status="failed")
    (sweep / "avg_seed1" / "predictions.csv").unlink()
    combine(sweep, expect=5, partial=True)
    out = capsys.readouterr().out
    assert "Left out 2 of 5 members: max_seed2, avg_seed1" in out and "Expected 5 members, combined 3" in out
    content = json.loads((sweep / "ensemble.json").read_text())
    assert [member["name"] for member in content["members"]] == ["avg_seed0", "max_seed0", "max_seed1"]
    assert list(content["left_out"]) == ["max_seed2", "avg_seed1"]
    mean = np.mean([fake.probabilities(key, 3) for key in (0, 1000, 1001)], axis=0)
    np.testing.assert_allclose(read(sweep / "submission.csv"), mean, rtol=1e-8)


def test_members_that_the_sweep_did_not_start_are_left_out(sweep, capsys):
    fake.write_member(sweep, "max", 8, status="waiting", val=False, test=False)
    (sweep / "max_seed9").mkdir()
    (sweep / "max_seed9" / "train.log").write_text("rejected\n")
    combine(sweep, expect=4)
    assert "Left out max_seed8: its sweep ended before it started; repeat" in capsys.readouterr().out
    assert "max_seed8" not in (sweep / "report.md").read_text(encoding="utf-8")


def test_the_command_prints_the_paths_and_writes_only_into_the_run_folder(sweep):
    printed = run("ensemble.py", "run_dir=demo", "expect=4", cwd=sweep.parent)
    assert printed.splitlines()[-2:] == ["Submission: demo/submission.csv", "Report:     demo/report.html"]
    assert [path.name for path in sweep.parent.iterdir()] == ["demo"]
    assert fake.files_in(sweep) == {*FILES, "report.html"}


def test_the_error_names_every_unusable_member_and_nothing_is_written(sweep):
    fake.write_member(sweep, "max", 2, status="running")
    (sweep / "avg_seed1" / "predictions.csv").unlink()
    fake.write_csv(sweep / "max_seed0" / "predictions.csv", fake.IDS[:2], fake.probabilities(0, 2))
    printed = run("ensemble.py", "run_dir=demo", cwd=sweep.parent, expect=1)
    assert "Traceback" not in printed
    for text in (
        "demo: 2 of 5 members can be used\n",
        "demo/max_seed2: not complete",
        "demo/avg_seed1: different tables (predictions.csv is missing) than avg_seed0",
        "demo/max_seed0: predictions.csv has different ids (missing 0002; unknown none) than avg_seed0",
        "partial=true to combine the 2 usable members.",
    ):
        assert text in printed
    assert fake.files_in(sweep) == set()


def test_no_usable_member_or_an_unexpected_number_of_members(tmp_path):
    fake.write_member(tmp_path, "avg", 0, status="waiting", val=False, test=False)
    with pytest.raises(RunError, match=r"0 of 1 member can be used\n.*avg_seed0: its sweep ended before it started"):
        combine(tmp_path)
    fake.write_member(tmp_path, "avg", 1)
    with pytest.raises(RunError, match=r"expect=6, but found 1 member: avg_seed1\n"):
        combine(tmp_path, expect=6)
    assert fake.files_in(tmp_path) == set()


def test_the_submission_is_stacked_if_that_is_better_than_the_mean(tmp_path, capsys):
    probs = fake.write_unequal(tmp_path)
    combine(tmp_path, combine="stacked")
    assert fake.files_in(tmp_path) == FILES
    numbers = json.loads((tmp_path / "ensemble.json").read_text(encoding="utf-8"))["stacking"]
    assert "of the mean; used\n" in capsys.readouterr().out
    scores = sum(numbers["weights"][name] * np.log(values) for name, values in probs.items())
    odds = np.exp(scores + list(numbers["offsets"].values()))
    np.testing.assert_allclose(read(tmp_path / "submission.csv"), odds / odds.sum(axis=1, keepdims=True), rtol=1e-6)
    for name, rows in zip(probs, (fake.probabilities(1, 60), fake.probabilities(2, 60)), strict=True):
        fake.write_csv(tmp_path / name / "val_predictions.csv", [f"v{i}" for i in range(60)], rows)
        mean = (fake.probabilities(1, 60) + fake.probabilities(2, 60)) / 2
        fake.write_csv(tmp_path / name / "val_answers.csv", [f"v{i}" for i in range(60)], mean)
    combine(tmp_path, combine="stacked")
    assert "not better, using the mean" in capsys.readouterr().out
    assert "not better, using the mean" in (tmp_path / "report.md").read_text(encoding="utf-8")
    assert json.loads((tmp_path / "ensemble.json").read_text(encoding="utf-8"))["stacking"]["used"] is False
    np.testing.assert_allclose(read(tmp_path / "submission.csv"), np.mean(list(probs.values()), axis=0), rtol=1e-8)
