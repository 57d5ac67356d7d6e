"""Runs that were interrupted, killed or stopped resume with the result of an uninterrupted one."""

import os
import signal
import time
from pathlib import Path

import pandas as pd

from tests.helpers.scripts import run, start
from tests.helpers.small_runs import TINY, crash, data, metrics_of


def test_a_run_that_crashed_or_lost_its_tables_resumes_with_the_result_of_an_uninterrupted_one(home: Path) -> None:
    options = [*TINY, *data(home), "name=resumed", "trainer.max_epochs=3", "data.num_workers=1"]
    run("train.py", *options, cwd=home)
    member = home / "outputs" / "resumed" / "avg_seed0"
    predictions, losses = (member / "predictions.csv").read_bytes(), pd.read_csv(member / "metrics.csv")["train/loss"]
    run("train.py", *options, crash(2, home / "crashed"), "overwrite=true", cwd=home, expect=1)
    assert metrics_of(member)["status"] == "failed" and "crashed on purpose" in metrics_of(member)["error"]
    assert not (member / "predictions.csv").exists()
    run("train.py", *options, cwd=home)
    assert (member / "predictions.csv").read_bytes() == predictions
    assert pd.read_csv(member / "metrics.csv")["train/loss"].tolist() == losses.tolist()
    # Of a trained run whose tables were lost, it says what is missing.
    metrics, table = (member / "metrics.json").read_text(), (member / "metrics.csv").read_text()
    for rows in (0, 3):
        (member / "metrics.json").write_text(metrics.replace('"complete"', '"interrupted"'))
        (member / "metrics.csv").write_text("".join(table.splitlines(keepends=True)[:rows]))
        if not rows:
            (member / "metrics.csv").unlink()
        printed = run("train.py", *options, cwd=home, expect=int(not rows))
        assert rows or "metrics.csv: has no epochs; restore it, or train again with overwrite=true\n" in printed
        assert "Traceback" not in printed
    assert metrics_of(member)["status"] == "complete"


def test_an_interrupted_and_resumed_run_equals_a_whole_one(home: Path) -> None:
    """By SIGINT; tests/test_ending.py has SIGTERM, and tests/test_sweep.py SIGKILL."""
    options = [*TINY, *data(home), "trainer.max_epochs=8"]
    run("train.py", *options, "name=whole", cwd=home)
    options.append("name=ended")
    whole, member = (home / "outputs" / name / "avg_seed0" for name in ("whole", "ended"))
    (home / "ended.txt").touch()
    process = start("train.py", *options, cwd=home, output=str(home / "ended.txt"))
    while not (member / "checkpoints" / "last.ckpt").exists():  # somewhere after the first of eight epochs
        assert process.is_alive()
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGINT)
    process.join()
    assert process.exitcode == 128 + signal.SIGINT
    ended = "ended by SIGINT; repeat the command to resume from the last completed epoch\n"
    assert (home / "ended.txt").read_text().endswith(ended)
    assert metrics_of(member)["status"] == "interrupted"
    assert "resuming from" in run("train.py", *options, cwd=home)
    assert (member / "predictions.csv").read_bytes() == (whole / "predictions.csv").read_bytes()
