"""Runs that were interrupted, killed or stopped resume with the result of an uninterrupted one."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from tests.helpers.scripts import ENVIRONMENT, ROOT, run
from tests.helpers.small_runs import TINY, data, write_data


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a competition."""
    home = tmp_path_factory.mktemp("home")
    write_data(home / "Data")
    return home


def test_a_run_that_crashed_resumes_with_the_result_of_an_uninterrupted_one(home: Path) -> None:
    options = [*TINY, *data(home), "name=resumed", "trainer.max_epochs=3", "data.num_workers=1"]
    run("train.py", *options, cwd=home)
    member = home / "outputs" / "resumed" / "avg_seed0"
    predictions, losses = (member / "predictions.csv").read_bytes(), pd.read_csv(member / "metrics.csv")["train/loss"]
    crash = f"+callbacks.crash={{_target_: tests.helpers.callbacks.Crash, epoch: 2, flag: {home / 'crashed'}}}"
    run("train.py", *options, crash, "overwrite=true", cwd=home, expect=1)
    metrics = json.loads((member / "metrics.json").read_text())
    assert metrics["status"] == "failed" and "crashed on purpose" in metrics["error"]
    assert not (member / "predictions.csv").exists()
    run("train.py", *options, cwd=home)
    assert (member / "predictions.csv").read_bytes() == predictions
    assert pd.read_csv(member / "metrics.csv")["train/loss"].tolist() == losses.tolist()


def test_a_trained_run_whose_tables_were_lost_says_what_is_missing(home: Path) -> None:
    options = [*TINY, *data(home), "name=lost", "trainer.max_epochs=2"]
    run("train.py", *options, cwd=home)
    member = home / "outputs" / "lost" / "avg_seed0"
    metrics, table = (member / "metrics.json").read_text(), (member / "metrics.csv").read_text()
    for rows in (0, 2):
        (member / "metrics.json").write_text(metrics.replace('"complete"', '"interrupted"'))
        (member / "metrics.csv").write_text("".join(table.splitlines(keepends=True)[:rows]))
        if not rows:
            (member / "metrics.csv").unlink()
        printed = run("train.py", *options, cwd=home, expect=int(not rows))
        assert rows or "metrics.csv: has no epochs; restore it, or train again with overwrite=true\n" in printed
        assert "Traceback" not in printed
    assert json.loads((member / "metrics.json").read_text())["status"] == "complete"


@pytest.mark.parametrize(
    ("number", "code", "status"),
    [
        (signal.SIGKILL, -signal.SIGKILL, "running"),
        (signal.SIGTERM, 128 + signal.SIGTERM, "interrupted"),
        (signal.SIGINT, 128 + signal.SIGINT, "interrupted"),
    ],
)
def test_a_killed_and_resumed_run_equals_a_whole_one(
    home: Path, number: signal.Signals, code: int, status: str
) -> None:
    options = [*TINY, *data(home), "trainer.max_epochs=8"]
    run("train.py", *options, "name=whole", cwd=home)
    options.append(f"name=killed_{number}")
    command = [sys.executable, str(ROOT / "train.py"), *options]
    member = home / "outputs" / f"killed_{number}" / "avg_seed0"
    with (home / "killed.txt").open("w") as output:
        process = subprocess.Popen(command, cwd=home, env=ENVIRONMENT, stdout=output, stderr=output)
        while not (member / "checkpoints" / "last.ckpt").exists():  # somewhere after the first of eight epochs
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(number)
        assert process.wait() == code
    last = (home / "killed.txt").read_text().splitlines()[-1]
    assert number == signal.SIGKILL or last.endswith(
        f"ended by {number.name}; repeat the command to resume from the last completed epoch"
    )
    assert json.loads((member / "metrics.json").read_text())["status"] == status
    assert "resuming from" in run("train.py", *options, cwd=home)
    whole = home / "outputs" / "whole" / "avg_seed0"
    assert (member / "predictions.csv").read_bytes() == (whole / "predictions.csv").read_bytes()
