"""Status of a sweep."""

import os
import time

import pandas as pd

from overlapped_words.report.status import as_text, overview
from overlapped_words.runs.members import find_members
from tests.helpers.fake_members import write_member


def test_overview_of_every_status(tmp_path):
    write_member(tmp_path, "avg", 0, val_kl=1.25, max_epochs=3)
    write_member(tmp_path, "avg", 1, status="failed", max_epochs=3, error="DataError: no room\nmake some")
    running = write_member(tmp_path, "avg", 2, status="running", max_epochs=3, silence=60, host="node7", pid=42)
    epochs = {"epoch": [0, 1], "step": [4, 8], "train/loss": [3.0, 2.0], "val/kl": [2.5, 1.75], "seconds": [60.0, 66.0]}
    pd.DataFrame(epochs).to_csv(running / "metrics.csv", index=False)
    (running / "heartbeat").touch()
    stale = write_member(tmp_path, "max", 0, status="running", max_epochs=3, silence=60, host="node8", pid=43)
    (stale / "heartbeat").touch()
    os.utime(stale / "heartbeat", (time.time() - 3600,) * 2)
    write_member(tmp_path, "max", 1, status="waiting", host="node7", pid=42)

    table = overview(find_members(tmp_path)).set_index("member")
    assert table["status"].to_dict() == {
        "avg_seed0": "complete",
        "avg_seed1": "failed",
        "avg_seed2": "running",
        "max_seed0": "interrupted",
        "max_seed1": "waiting",
    }
    assert table.loc["avg_seed0", "val_kl"] == 1.25
    assert table.loc["avg_seed1", "note"] == "DataError: no room make some"
    assert table.loc["avg_seed2", ["epochs", "val_kl", "minutes"]].tolist() == [2, 1.75, 2.1]
    assert "process 42 on node7, last heartbeat 0:00:0" in table.loc["avg_seed2", "note"]
    assert "process 43 on node8, last heartbeat 1:00:0" in table.loc["max_seed0", "note"]
    lines = as_text(overview(find_members(tmp_path))).splitlines()
    assert lines[4].split()[:7] == ["avg_seed2", "running", "2", "of", "3", "1.7500", "2.1"]
    assert lines[-1].startswith("5 members: ") and "1 interrupted" in lines[-1]


def test_damaged_files_are_reported_in_the_line_of_their_member(tmp_path):
    write_member(tmp_path, "avg", 0, max_epochs=3)
    (write_member(tmp_path, "avg", 1, max_epochs=3) / "metrics.csv").write_text("epoch")
    (write_member(tmp_path, "avg", 2) / "metrics.json").write_text("[")
    write_member(tmp_path, "avg", 3, status="failed", error="\x1b[2J\nit said\x07 so")
    members = find_members(tmp_path)
    lines = as_text(overview([*members[:2], members[3], members[2]])).splitlines()
    assert lines[2].split() == ["avg_seed0", "complete", "0", "of", "3"]
    assert lines[3].split()[:2] == ["avg_seed1", "complete"] and "avg_seed1/metrics.csv: the column" in lines[3]
    assert lines[4].split()[:2] == ["avg_seed2", "unreadable"] and "avg_seed2/metrics.json: not JSON" in lines[4]
    assert r"\x1b[2J it said\x07 so" in lines[5] and lines[-1].startswith("4 members: ")
