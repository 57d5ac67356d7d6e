"""Prepare the folder of a run: alive, damaged, moved, overwritten, or wanted by two commands at once."""

import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest

from overlapped_words.errors import RunError
from overlapped_words.runs.folder import RunFolder
from overlapped_words.runs.reading import read_config

FORK = multiprocessing.get_context("fork")
MEMBER = {"pool": "avg", "seed": 0}


def prepare(path: Path, config: dict | None = None, overwrite: bool = False) -> RunFolder:
    folder = RunFolder(path)
    assert folder.prepare(config or {"seed": 1}, [], overwrite, **MEMBER)
    return folder


def save_checkpoint(folder: RunFolder) -> None:
    folder.last_checkpoint.parent.mkdir(exist_ok=True)
    folder.last_checkpoint.touch()


def test_a_run_on_another_machine_is_running_until_its_heartbeat_times_out(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.write_metrics(status="running", **MEMBER, host="elsewhere", pid=1)
    folder.heartbeat.touch()
    assert folder.status == "running"
    with pytest.raises(RunError, match="trained by process 1 on elsewhere"):
        prepare(tmp_path, overwrite=True)
    long_ago = time.time() - 120
    os.utime(folder.heartbeat, (long_ago, long_ago))
    assert folder.status == "interrupted"
    prepare(tmp_path)


def take(path: Path, barrier, answers) -> None:
    barrier.wait()
    try:
        prepare(path, overwrite=True)
        answers.put("taken")
    except Exception as error:
        answers.put(str(error))
    time.sleep(60)


def test_of_commands_at_the_same_time_one_gets_the_folder_and_its_end_frees_it(tmp_path: Path) -> None:
    for i in range(3):
        barrier, queue = FORK.Barrier(4), FORK.Queue()
        processes = [FORK.Process(target=take, args=(tmp_path / str(i), barrier, queue)) for _ in range(4)]
        for process in processes:
            process.start()
        answers = sorted(queue.get(timeout=30) for _ in processes)
        assert answers[-1] == "taken" and all("is being trained by process" in text for text in answers[:-1])
        for process in processes:
            os.kill(process.pid, signal.SIGKILL)
            process.join()
        prepare(tmp_path / str(i))


def test_a_damaged_run_is_an_error_until_it_is_overwritten(tmp_path: Path) -> None:
    prepare(tmp_path)
    for name, remedy in {".hydra/config.yaml": "restore or delete it", "metrics.json": "with overwrite=true"}.items():
        save_checkpoint(RunFolder(tmp_path))
        (tmp_path / name).write_text("[[")
        with pytest.raises(RunError, match=f"{tmp_path / name}: not .*{remedy}"):
            prepare(tmp_path)
        prepare(tmp_path, overwrite=True)
        assert read_config(tmp_path) == {"seed": 1} and not RunFolder(tmp_path).last_checkpoint.exists()


def test_a_folder_that_was_moved_is_resumed_and_a_complete_run_left_alone(tmp_path: Path) -> None:
    save_checkpoint(prepare(tmp_path, {"seed": 1, "run_dir": "before", "trainer": {"default_root_dir": "before"}}))
    moved = {"seed": 1, "name": "after", "run_dir": "after", "trainer": {"default_root_dir": "after"}}
    folder = prepare(tmp_path, moved)
    with pytest.raises(RunError, match=r"different configuration:\n  seed: saved 1, current 2\n"):
        prepare(tmp_path, {"seed": 2, "run_dir": "after"})
    folder.write_metrics(status="complete")
    before = folder.metrics
    assert not folder.prepare(moved, [], False, **MEMBER) and folder.metrics == before
    folder.last_checkpoint.unlink()  # to save space
    with pytest.raises(RunError, match=r"different configuration"):
        prepare(tmp_path, {"seed": 2, "run_dir": "after"})


@pytest.mark.parametrize(
    ("mark", "text", "was_run"),
    [
        (".hydra/config.yaml", "{model: {}, optimizer: {}, trainer: {}}", True),
        (".hydra/config.yaml", "db: {driver: mysql}", False),
        ("metrics.json", "[[", True),
        ("metrics.json", '{"status": "complete", "pool": "avg", "seed": 0}', True),
        ("checkpoints/last.ckpt", "", True),
        ("notes.txt", "", False),
    ],
)
def test_overwriting_deletes_what_a_run_wrote_where_a_run_was(tmp_path: Path, mark: str, text: str, was_run: bool):
    written = {"predictions.csv", "tensorboard/a.tfevents.1", f".metrics.json.{'0' * 32}.tmp"}
    own = {"notes.txt", "my.csv", "my.json", "data/my.csv", "model.onnx", "tensorboard/x", "checkpoints/my.txt"}
    for name in sorted(written | own | {mark}):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text if name == mark else "")
    prepare(tmp_path, overwrite=True)
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert own <= left and (not left & written if was_run else "predictions.csv" in left)


def test_overwriting_keeps_the_metrics_of_another_program_and_what_a_link_points_to(tmp_path: Path) -> None:
    for name in ("metrics.json", "predictions.csv"):
        (tmp_path / name).write_text('{"accuracy": 1}')
    with pytest.raises(RunError, match="is missing"):
        prepare(tmp_path, overwrite=True)
    assert (tmp_path / "predictions.csv").exists() and (tmp_path / "metrics.json").read_text() == '{"accuracy": 1}'
    link, kept = tmp_path / "run" / "checkpoints", tmp_path / "elsewhere" / "last.ckpt"
    for folder in (kept.parent, link.parent):
        folder.mkdir()
    kept.touch()
    link.symlink_to(kept.parent)
    prepare(link.parent, overwrite=True)
    assert not link.exists() and kept.exists()


def test_a_run_resumes_with_the_recordings_that_it_began_with(tmp_path: Path) -> None:
    folder = prepare(tmp_path)
    folder.check_data({"train": "a", "val": "b"})
    folder.check_data({"train": "c", "val": "d"})  # nothing was trained on the first ones
    save_checkpoint(folder)
    folder.check_data({"train": "c", "val": "d"})
    message = r"the recordings of train and test have changed since this run began.*overwrite=true"
    with pytest.raises(RunError, match=message):
        folder.check_data({"train": "a", "val": "d", "test": "e"})
    folder.write_metrics(fingerprints={})  # of an earlier version
    folder.check_data({"train": "a"})
