"""Members: which folders count, their status, their tables."""

import os
import socket

import pytest

from overlapped_words.errors import RunError
from overlapped_words.runs.members import find_members, read_tables
from tests.helpers.fake_members import IDS, TEST_ANSWERS, VAL_IDS, probabilities, write_csv, write_member


def test_members_of_a_sweep_by_pool_and_then_by_seed_as_a_number(tmp_path):
    for pool, seed in (("max", 0), ("avg", 10), ("avg", 9)):
        write_member(tmp_path, pool, seed)
    (tmp_path / ".submitit").mkdir()
    (tmp_path / "logs").mkdir()
    (tmp_path / "submission.csv").write_text("id,a\nx,1\n")
    members = find_members(tmp_path)
    assert [member.name for member in members] == ["avg_seed9", "avg_seed10", "max_seed0"]
    assert [(member.pool, member.seed, member.status, member.fault) for member in members[:1]] == [
        ("avg", 9, "complete", "")
    ]
    assert members[0].metrics["train_seconds"] == 99.0


def test_members_of_folds_by_pool_seed_and_fold(tmp_path):
    for seed, fold in ((1, 0), (0, 10), (0, 9)):
        write_member(tmp_path, "avg", seed, fold=fold)
    write_member(tmp_path, "avg", 0)
    (tmp_path / "avg_seed0_fold9").rename(tmp_path / "another name")
    members = find_members(tmp_path)
    names = ["avg_seed0", "another name", "avg_seed0_fold10", "avg_seed1_fold0"]
    assert [member.name for member in members] == names
    assert [(member.seed, member.fold) for member in members] == [(0, None), (0, 9), (0, 10), (1, 0)]


def test_a_member_waits_as_long_as_its_sweep_runs(tmp_path):
    write_member(tmp_path, "avg", 0, status="waiting", host=socket.gethostname(), pid=os.getppid())
    write_member(tmp_path, "avg", 1, status="waiting", host="another machine", pid=1)
    write_member(tmp_path, "avg", 2, status="waiting", host=socket.gethostname(), pid=2**31 - 1)
    write_member(tmp_path, "avg", 3, status="waiting")
    members = find_members(tmp_path)
    assert [member.status for member in members] == ["waiting", "waiting", "not started", "not started"]
    assert "has not started it yet" in members[0].fault and "its sweep ended before" in members[2].fault


def test_the_folder_of_a_rejected_run_is_not_a_member(tmp_path):
    write_member(tmp_path, "avg", 0)
    (tmp_path / "avg_seed1" / ".hydra").mkdir(parents=True)
    (tmp_path / "avg_seed1" / ".hydra" / "config.yaml").write_text("seed: 1\n")
    (tmp_path / "avg_seed1" / "train.log").write_text("")
    assert [member.name for member in find_members(tmp_path)] == ["avg_seed0"]


def test_a_failed_member_says_what_its_training_said(tmp_path):
    (write_member(tmp_path, "avg", 3) / "metrics.json").write_text(
        '{"status": "failed", "pool": "avg", "seed": 3, "error": "DataError: no {such} folder"}'
    )
    write_member(tmp_path, "avg", 4, status="odd")
    failed, odd = find_members(tmp_path)
    assert failed.fault.startswith(
        f"{failed.path}: not complete, its training failed (DataError: no {{such}} folder); fix"
    )
    assert odd.status == "odd" and "not complete, metrics.json gives its status as odd" in odd.fault


def test_a_member_without_metrics_or_with_damaged_ones_is_unreadable(tmp_path):
    (write_member(tmp_path, "max", 12) / "metrics.json").unlink()
    (write_member(tmp_path, "avg", 3) / "metrics.json").write_text('{"status": "comp')
    damaged, missing = find_members(tmp_path)
    assert (missing.name, missing.status, damaged.status) == ("max_seed12", "unreadable", "unreadable")
    assert "its metrics.json is missing" in missing.fault
    assert (
        damaged.fault.startswith(f"{tmp_path / 'avg_seed3' / 'metrics.json'}: not plain JSON") and damaged.metrics == {}
    )


def test_no_members_names_the_folders_nearby_that_have_some(tmp_path, monkeypatch):
    write_member(tmp_path / "demo", "avg", 0)
    with pytest.raises(RunError, match=f"{tmp_path}: no members in it; members are in {tmp_path / 'demo'}$"):
        find_members(tmp_path)
    with pytest.raises(RunError, match=f"dem: no such folder; members are in {tmp_path / 'demo'}$"):
        find_members(tmp_path / "dem")
    monkeypatch.chdir(tmp_path / "demo" / "avg_seed0")
    assert [member.name for member in find_members(".")] == ["avg_seed0"]  # a member's own folder


def test_missing_tables_are_omitted(tmp_path):
    write_csv(write_member(tmp_path, "avg", 0) / "test_answers.csv", IDS, TEST_ANSWERS)
    write_member(tmp_path, "avg", 1, val=False)
    write_member(tmp_path, "avg", 2, test=False)
    kinds = [set(read_tables(member)) for member in find_members(tmp_path)]
    validation = {"val_predictions", "val_answers"}
    assert kinds == [{"predictions", "test_answers"} | validation, {"predictions"}, validation]


@pytest.mark.parametrize(
    ("removed", "message"),
    [
        (("val_answers",), r"avg_seed0: val_predictions.csv but no val_answers.csv"),
        (("val_predictions",), r"avg_seed0: val_answers.csv but no val_predictions.csv"),
        (("predictions",), r"avg_seed0: test_answers.csv but no predictions.csv"),
        (("predictions", "val_predictions"), r"avg_seed0: neither predictions.csv nor val_predictions.csv"),
    ],
)
def test_tables_that_need_each_other(tmp_path, removed, message):
    folder = write_member(tmp_path, "avg", 0)
    write_csv(folder / "test_answers.csv", IDS, TEST_ANSWERS)
    for name in removed:
        (folder / f"{name}.csv").unlink()
    with pytest.raises(RunError, match=message):
        read_tables(*find_members(tmp_path))


def test_predictions_and_targets_of_different_clips(tmp_path):
    folder = write_member(tmp_path, "avg", 0)
    write_csv(folder / "val_predictions.csv", VAL_IDS[::-1], probabilities(1, 2))
    with pytest.raises(RunError, match=r"val_predictions.csv: ids in a different order .* than val_answers.csv"):
        read_tables(*find_members(tmp_path))
