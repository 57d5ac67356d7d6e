"""Prepare the folder of a run: alive, damaged, moved or overwritten."""

import os
import time
from pathlib import Path

import pytest

from overlapped_words.errors import RunError
from overlapped_words.runs.folder import RunFolder
from overlapped_words.runs.reading import read_config


def test_a_run_on_another_machine_is_running_until_its_heartbeat_times_out(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.write_metrics(status="running", pool="avg", seed=0, host="elsewhere", pid=1)
    folder.heartbeat.touch()
    with pytest.raises(RunError, match="trained by process 1 on elsewhere"):
        folder.prepare({}, [], overwrite=True)
    long_ago = time.time() - 120
    os.utime(folder.heartbeat, (long_ago, long_ago))
    folder.prepare({}, [], overwrite=False)


def test_a_damaged_run_is_an_error_until_it_is_overwritten(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.prepare({"seed": 1}, [], overwrite=False)
    for name, remedy in {".hydra/config.yaml": "restore or delete it", "metrics.json": "with overwrite=true"}.items():
        folder.last_checkpoint.parent.mkdir()
        folder.last_checkpoint.touch()
        (tmp_path / name).write_text("[[")
        with pytest.raises(RunError, match=f"{tmp_path / name}: not .*{remedy}"):
            folder.prepare({"seed": 1}, [], overwrite=False)
        folder.prepare({"seed": 1}, [], overwrite=True)
        assert read_config(tmp_path) == {"seed": 1} and folder.metrics == {}


def test_a_folder_that_was_moved_is_resumed(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.prepare({"seed": 1, "run_dir": "before", "trainer": {"default_root_dir": "before"}}, [], overwrite=False)
    folder.last_checkpoint.parent.mkdir()
    folder.last_checkpoint.touch()
    folder.prepare({"seed": 1, "run_dir": "after", "trainer": {"default_root_dir": "after"}}, [], overwrite=False)
    with pytest.raises(RunError, match=r"different configuration:\n  seed: saved 1, current 2\n"):
        folder.prepare({"seed": 2, "run_dir": "after"}, [], overwrite=False)


def test_overwriting_deletes_the_files_of_the_run_only(tmp_path: Path) -> None:
    for name in ("predictions.csv", "model.onnx", "checkpoints/last.ckpt", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    RunFolder(tmp_path).prepare({"seed": 1}, [], overwrite=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".hydra", "notes.txt"]
