"""Members: which folders count, their status, their tables."""

import os
import socket
import time

import pandas as pd
import pytest

from overlapped_words.errors import RunError
from overlapped_words.report.report import print_status
from overlapped_words.runs.members import find_members, read_tables
from tests.helpers.fake_members import IDS, TEST_ANSWERS, VAL_IDS, probabilities, write_csv, write_member


def test_members_by_pool_seed_and_fold_as_numbers(tmp_path):
    for pool, seed, fold in (("max", 0, None), ("avg", 10, None), ("avg", 9, 10), ("avg", 9, 2), ("avg", 9, None)):
        write_member(tmp_path, pool, seed, fold=fold)
    (tmp_path / "avg_seed9_fold2").rename(tmp_path / "another name")
    (tmp_path / ".submitit").mkdir()
    rejected = tmp_path / "avg_seed1"  # a run that was rejected leaves only settings and a log
    (rejected / ".hydra").mkdir(parents=True)
    (rejected / "train.log").touch()
    members = find_members(tmp_path)
    names = ["avg_seed9", "another name", "avg_seed9_fold10", "avg_seed10", "max_seed0"]
    assert [member.name for member in members] == names
    assert [(member.pool, member.seed, member.fold) for member in members[:2]] == [("avg", 9, None), ("avg", 9, 2)]
    assert (members[0].status, members[0].fault) == ("complete", "") and members[0].metrics["train_seconds"] == 99.0


def test_a_member_waits_as_long_as_its_sweep_runs(tmp_path):
    write_member(tmp_path, "avg", 0, status="waiting", host=socket.gethostname(), pid=os.getppid())
    write_member(tmp_path, "avg", 1, status="waiting", host="another machine", pid=1)
    write_member(tmp_path, "avg", 2, status="waiting", host=socket.gethostname(), pid=2**31 - 1)
    write_member(tmp_path, "avg", 3, status="waiting")
    members = find_members(tmp_path)
    assert [member.status for member in members] == ["waiting", "waiting", "not started", "not started"]
    assert "has not started it yet" in members[0].fault and "its sweep ended before" in members[2].fault


def test_a_member_that_cannot_be_used_says_why(tmp_path):
    write_member(tmp_path, "avg", 0, status="failed", error="DataError: no {such} folder")
    write_member(tmp_path, "avg", 1, status="odd")
    write_member(tmp_path, "avg", 2, status="stopped")
    write_member(tmp_path, "avg", 3, status="interrupted")
    (write_member(tmp_path, "avg", 4) / "metrics.json").write_text('{"status": "comp')
    (write_member(tmp_path, "avg", 5) / "metrics.json").unlink()
    members = find_members(tmp_path)
    assert " ".join(member.status for member in members) == "failed odd stopped interrupted unreadable unreadable"
    faults = [
        "avg_seed0: not complete, its training failed (DataError: no {such} folder); fix the cause and repeat",
        "avg_seed1: not complete, metrics.json gives its status as odd",
        "avg_seed2: not complete, trainer.max_time stopped it; repeat its train.py command with a longer one",
        "avg_seed3: not complete, it was interrupted; repeat its train.py command to resume it",
        "avg_seed4/metrics.json: not plain JSON",
        "avg_seed5: not complete, its metrics.json is missing",
    ]
    assert all(m.fault.startswith(f"{tmp_path}/{fault}") for m, fault in zip(members, faults, strict=True))


def test_no_members(tmp_path, monkeypatch):
    write_member(tmp_path / "demo", "avg", 0)
    with pytest.raises(RunError, match=f"{tmp_path}: no members in it; give a folder"):
        find_members(tmp_path)
    with pytest.raises(RunError, match="dem: no such folder; give a folder"):
        find_members(tmp_path / "dem")
    monkeypatch.chdir(tmp_path / "demo" / "avg_seed0")
    assert [member.name for member in find_members(".")] == ["avg_seed0"]  # a member's own folder


def test_missing_tables_are_omitted_and_different_clips_an_error(tmp_path):
    write_csv(write_member(tmp_path, "avg", 0) / "test_answers.csv", IDS, TEST_ANSWERS)
    write_member(tmp_path, "avg", 1, val=False)
    write_member(tmp_path, "avg", 2, test=False)
    kinds = [set(read_tables(member)) for member in find_members(tmp_path)]
    validation = {"val_predictions", "val_answers"}
    assert kinds == [{"predictions", "test_answers"} | validation, {"predictions"}, validation]
    write_csv(tmp_path / "avg_seed0" / "val_predictions.csv", VAL_IDS[::-1], probabilities(1, 2))
    with pytest.raises(RunError, match=r"val_predictions.csv: ids in a different order than val_answers.csv"):
        read_tables(find_members(tmp_path)[0])


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


def test_every_status_has_its_line(tmp_path, capsys):
    write_member(tmp_path, "avg", 0, val_kl=1.25, max_epochs=3)
    write_member(tmp_path, "avg", 1, status="failed", max_epochs=3, error="DataError: no\x1b[2J room\nmake some")
    running = write_member(tmp_path, "avg", 2, status="running", max_epochs=3, host="node7", pid=42)
    epochs = {"epoch": [0, 1], "step": [4, 8], "train/loss": [3.0, 2.0], "val/kl": [2.5, 1.75], "seconds": [60.0, 66.0]}
    pd.DataFrame(epochs).to_csv(running / "metrics.csv", index=False)
    (running / "heartbeat").touch()
    stale = write_member(tmp_path, "max", 0, status="running", max_epochs=3, host="node8", pid=43)
    (stale / "heartbeat").touch()
    os.utime(stale / "heartbeat", (time.time() - 3600,) * 2)
    write_member(tmp_path, "max", 1, status="waiting", host="node7", pid=42)
    (write_member(tmp_path, "max", 2) / "metrics.csv").write_text("epoch")
    (write_member(tmp_path, "max", 3) / "metrics.json").write_text("[")

    table = print_status(tmp_path).set_index("member")
    assert " ".join(table["status"]) == "complete failed running interrupted waiting complete unreadable"
    assert table.loc["avg_seed0", "val KL"] == "1.2500"
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["member", "status", "epochs", "val", "KL", "minutes", "note"]
    assert lines[3].endswith(r"DataError: no\x1b[2J room make some")
    assert lines[4].split()[:7] == ["avg_seed2", "running", "2", "of", "3", "1.7500", "2.1"]
    assert "process 42 on node7, last heartbeat 0:00:0" in lines[4]
    assert "process 43 on node8, last heartbeat 1:00:0" in lines[5]
    assert "max_seed2/metrics.csv: the column" in lines[7] and "max_seed3/metrics.json: not plain JSON" in lines[8]
    assert lines[-1] == "7 members: 2 complete, 1 failed, 1 running, 1 interrupted, 1 waiting, 1 unreadable"
