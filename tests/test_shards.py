"""Predict a table in shards, from the command line, and cut it into blocks."""

import re
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path

import pytest

from overlapped_words.errors import SettingError
from overlapped_words.inference.inputs import Inputs
from overlapped_words.inference.shards import cut, merge, part_paths
from overlapped_words.runs.files import write_text
from tests.helpers.composed import settings_of
from tests.helpers.scripts import ENVIRONMENT, ROOT, run
from tests.helpers.small_runs import TINY, data, write_data

NUM_CLIPS = 7
ENOUGH = [
    "model.width=8",
    "optimizer.lr=0.03",
    "trainer.max_epochs=8",
]  # enough for different probabilities per recording


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a trained member, test recordings and their predictions in whole.csv."""
    home = tmp_path_factory.mktemp("home")
    write_data(home / "Data", num_test=NUM_CLIPS)
    run("train.py", *TINY, *data(home), *ENOUGH, cwd=home)
    run("predict.py", *settings(home, home / "Data" / "test"), "output=whole.csv", cwd=home)
    return home


@pytest.fixture
def clips(home: Path, tmp_path: Path) -> Path:
    """A copy of the recordings that a test may change."""
    return shutil.copytree(home / "Data" / "test", tmp_path / "clips")


def settings(home: Path, clips: Path) -> list[str]:
    return [f"run_dir={home / 'outputs' / 'smoke'}", f"input={clips}", "batch_size=2"]


def sharded(home: Path, clips: Path, shards: int = 3) -> list[str]:
    """The arguments of a multirun of shards. Of three shards, the second predicts the third batch."""
    return ["-m", f"shards={shards}", f"shard=range({shards})", *settings(home, clips), "output=probs.csv"]


def parts_in(folder: Path) -> dict[str, int]:
    """The parts and their modification times, in the order of their shards."""
    return {path.name: path.stat().st_mtime_ns for path in sorted(folder.glob("part-*.csv"))}


@pytest.mark.parametrize("shards", [3, 9])
def test_shards_give_the_table_of_one_process(home: Path, tmp_path: Path, shards: int) -> None:
    clips = home / "Data" / "test"
    table = tmp_path / "확률, a=b.csv"
    printed = run("predict.py", *sharded(home, clips, shards)[:-1], f"output={table}", cwd=tmp_path)
    assert table.read_bytes() == (home / "whole.csv").read_bytes()
    assert (
        f"shard 0 of {shards}, {4 if shards == 3 else 2} recordings: {shards - 1} of {shards} parts missing" in printed
    )
    assert printed.count(f"merged all parts into {table}") == 1
    folder = tmp_path / "확률, a=b.csv.shards"
    assert set(tmp_path.iterdir()) == {table, folder}
    assert {path.name for path in folder.iterdir()} == {*parts_in(folder), "multirun.yaml"}
    assert len(parts_in(folder)) == shards


def test_only_a_missing_part_is_predicted_again(home: Path, tmp_path: Path) -> None:
    clips = home / "Data" / "test"
    run("predict.py", *sharded(home, clips), cwd=tmp_path)
    folder = tmp_path / "probs.csv.shards"
    before = parts_in(folder)
    deleted = list(before)[1]
    (folder / deleted).unlink()
    (tmp_path / "probs.csv").unlink()
    printed = run("predict.py", *sharded(home, clips), cwd=tmp_path)
    assert "shard 0 of 3, 4 recordings: 1 of 3 parts missing, the others are in " in printed
    assert (tmp_path / "probs.csv").read_bytes() == (home / "whole.csv").read_bytes()
    after = parts_in(folder)
    assert [name for name in before if after[name] != before[name]] == [deleted]


def test_a_broken_recording_stops_only_its_shard(home: Path, clips: Path, tmp_path: Path) -> None:
    broken = clips / "test_004.flac"
    broken.write_text("no audio")
    printed = run("predict.py", *sharded(home, clips), cwd=tmp_path, expect=1)
    assert f"{broken}: cannot be read as audio" in printed and "Traceback" not in printed
    assert "shard 2 of 3, 1 recording: 1 of 3 parts missing" in printed
    assert not (tmp_path / "probs.csv").exists()
    before = parts_in(tmp_path / "probs.csv.shards")
    assert [name[:6] for name in before] == ["part-0", "part-2"]
    shutil.copy(home / "Data" / "test" / broken.name, broken)
    run("predict.py", *sharded(home, clips), cwd=tmp_path)
    assert (tmp_path / "probs.csv").read_bytes() == (home / "whole.csv").read_bytes()
    assert before.items() < parts_in(tmp_path / "probs.csv.shards").items()


def test_a_missing_recording_stops_only_its_shard(home: Path, clips: Path, tmp_path: Path) -> None:
    names = [path.name for path in sorted(clips.iterdir())]
    (clips / "list.txt").write_text("\n".join(names))
    (clips / names[4]).unlink()
    printed = run("predict.py", *sharded(home, clips / "list.txt"), cwd=tmp_path, expect=1)
    assert f"{clips / names[4]}: no such file" in printed and "Traceback" not in printed
    assert [name[:6] for name in parts_in(tmp_path / "probs.csv.shards")] == ["part-0", "part-2"]


def test_killed_shards_resume_with_the_same_result(home: Path, tmp_path: Path) -> None:
    arguments = sharded(home, home / "Data" / "test", 4)
    process = subprocess.Popen([sys.executable, str(ROOT / "predict.py"), *arguments], cwd=tmp_path, env=ENVIRONMENT)
    folder = tmp_path / "probs.csv.shards"
    while not list(folder.glob("part-0-*.csv")):
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.wait()
    before = parts_in(folder)
    assert len(before) < 4 and not (tmp_path / "probs.csv").exists()
    run("predict.py", *arguments, cwd=tmp_path)
    assert (tmp_path / "probs.csv").read_bytes() == (home / "whole.csv").read_bytes()
    assert before.items() < parts_in(folder).items()


def test_a_part_of_another_recording_is_not_merged(home: Path, clips: Path, tmp_path: Path) -> None:
    run("predict.py", *sharded(home, clips), cwd=tmp_path)
    folder = tmp_path / "probs.csv.shards"
    before = parts_in(folder)
    shutil.copyfile(clips / "test_000.flac", clips / "test_004.flac")
    one = ["shards=3", "shard=0", *settings(home, clips), "output=probs.csv"]
    assert "probs.csv exists; give another output=FILE" in run("predict.py", *one, cwd=tmp_path, expect=1)
    assert "1 of 3 parts missing" in run("predict.py", *one, "overwrite=true", cwd=tmp_path)
    assert (tmp_path / "probs.csv").read_bytes() == (home / "whole.csv").read_bytes()
    run("predict.py", *one, "shard=1", "overwrite=true", cwd=tmp_path)
    run("predict.py", *settings(home, clips), "output=whole.csv", cwd=tmp_path)
    assert (tmp_path / "probs.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()
    assert (tmp_path / "whole.csv").read_bytes() != (home / "whole.csv").read_bytes()
    after = parts_in(folder)
    assert len(after) == 3 and list(before)[1] not in after  # the outdated part is deleted, the others are kept
    assert len(before.items() & after.items()) == 2


def test_a_complete_table_is_kept_and_a_different_one_is_not_overwritten(tmp_path: Path) -> None:
    parts = [tmp_path / "part-0.csv", tmp_path / "part-1.csv"]
    for part in parts:
        part.write_text(f"{part.stem},1\n")
    assert merge(parts, tmp_path / "probs.csv", overwrite=False) == 0
    assert merge(parts, tmp_path / "probs.csv", overwrite=False) == 0  # a shard started twice
    parts[1].write_text("another,1\n")
    with pytest.raises(SettingError, match=r"probs\.csv exists"):
        merge(parts, tmp_path / "probs.csv", overwrite=False)
    assert (tmp_path / "probs.csv").read_text() == "part-0,1\npart-1,1\n"
    merge(parts, tmp_path / "probs.csv", overwrite=True)
    assert (tmp_path / "probs.csv").read_text() == "part-0,1\nanother,1\n"


@pytest.mark.parametrize(
    ("shard", "shards", "message"),
    [
        (0, 0, "shards is 0; give a whole number from 1 to 1000000"),
        (0, 2.5, "shards is 2.5; give a whole number from 1 to 1000000"),
        (3, 3, "shard is 3, outside of 3 shards; give one from 0 to 2"),
        (-1, 3, "shard is -1; give a whole number from 0 on"),
        (1, 1, "shard is 1, outside of 1 shards; give one from 0 to 0"),
        ("a", 3, "shard is 'a'; give a whole number from 0 on"),
    ],
)
def test_invalid_shards_are_errors(shard: object, shards: float, message: str) -> None:
    with pytest.raises(SettingError, match=re.escape(message)):
        settings_of("predict", "run_dir=.", "input=.", "output=probs.csv", f"shard={shard}", f"shards={shards}")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["shard=3", "output=never.csv"], "shard is 3, outside of 3 shards; give one from 0 to 2"),
        ([], "3 shards have no table to be merged into; give output=FILE"),
        (
            ["input=clip.wav", "output=never.csv"],
            "clip.wav: one recording cannot be split into 3 shards; leave out shards",
        ),
    ],
)
def test_rejected_shards_write_nothing(home: Path, tmp_path: Path, arguments: list[str], message: str) -> None:
    clip = shutil.copy(home / "Data" / "test" / "test_000.flac", tmp_path / "clip.wav")
    options = [*settings(home, home / "Data" / "test"), "shards=3", *arguments]
    printed = run("predict.py", *options, cwd=tmp_path, expect=1)
    assert message in printed and "Traceback" not in printed
    assert list(tmp_path.iterdir()) == [clip]


@pytest.mark.parametrize("shards", [1, 3, 8, 20])
@pytest.mark.parametrize("num_recordings", [1, 64, 100, 1000])
def test_blocks_are_whole_batches_in_order(num_recordings: int, shards: int) -> None:
    blocks = cut(num_recordings, 64, shards)
    assert len(blocks) == shards and blocks[0].stop > 0
    assert list(chain(*(range(num_recordings)[block] for block in blocks))) == list(range(num_recordings))
    assert all(block.start % 64 == 0 or block.start == num_recordings for block in blocks)
    sizes = [-(-(block.stop - block.start) // 64) for block in blocks]
    assert max(sizes) - min(sizes) <= 1


def test_concurrent_writers_of_one_file_do_not_collide(tmp_path: Path) -> None:
    texts = [letter * 10_000 for letter in "abcdefgh"]
    with ThreadPoolExecutor(len(texts)) as pool:
        list(pool.map(write_text, [tmp_path / "probs.csv"] * 400, texts * 50))
    assert (tmp_path / "probs.csv").read_text() in texts
    assert [path.name for path in tmp_path.iterdir()] == ["probs.csv"]


def test_different_settings_give_different_parts() -> None:
    inputs = Inputs(["a"], [Path("a")])
    one, two = (part_paths(Path("t.csv"), [slice(0, 1)], settings, inputs, []) for settings in ([1], [3]))
    assert one != two
