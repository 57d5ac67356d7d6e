"""Status of a sweep."""

import os
import time

import pandas as pd

from overlapped_words.report.status import print_status
from tests.helpers.fake_members import write_member


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
    assert table["status"].tolist() == [
        *("complete", "failed", "running"),
        *("interrupted", "waiting", "complete", "unreadable"),
    ]
    assert table.loc["avg_seed0", "val KL"] == "1.2500"
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["member", "status", "epochs", "val", "KL", "minutes", "note"]
    assert lines[3].endswith(r"DataError: no\x1b[2J room make some")
    assert lines[4].split()[:7] == ["avg_seed2", "running", "2", "of", "3", "1.7500", "2.1"]
    assert "process 42 on node7, last heartbeat 0:00:0" in lines[4]
    assert "process 43 on node8, last heartbeat 1:00:0" in lines[5]
    assert "max_seed2/metrics.csv: the column" in lines[7] and "max_seed3/metrics.json: not plain JSON" in lines[8]
    assert lines[-1] == "7 members: 2 complete, 1 failed, 1 running, 1 interrupted, 1 waiting, 1 unreadable"
