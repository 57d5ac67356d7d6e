"""Predict a table in shards, which may run at the same time, be killed, and repeated."""

import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from overlapped_words.ensembling.ensemble_file import StackingWeights
from overlapped_words.errors import DataError, SettingError
from overlapped_words.inference.events import EventRule
from overlapped_words.runs.files import write_text
from tests.helpers.composed import run_predict
from tests.helpers.fake_members import WORDS
from tests.helpers.fake_recordings import speech, write
from tests.helpers.networks import write_network
from tests.helpers.scripts import run

NUM_CLIPS = 7


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a member, recordings and their predictions in whole.csv."""
    home = tmp_path_factory.mktemp("home")
    write_network(home / "sweep", "avg", 0)
    (home / "clips").mkdir()
    for i in range(NUM_CLIPS):
        write(home / "clips" / f"{i}.flac", speech(i))
    predicted(home, home / "clips", home / "whole.csv")
    return home


@pytest.fixture
def clips(home: Path, tmp_path: Path) -> Path:
    return shutil.copytree(home / "clips", tmp_path / "clips")


def predicted(home: Path, clips: Path, output: Path, *overrides: str) -> None:
    run_predict(home / "sweep", f"input={clips}", "batch_size=2", f"output={output}", *overrides)


def run_shards(home: Path, clips: Path, output: Path, *overrides: str, shards: int = 3) -> None:
    """All shards, one after another. Of three, the second predicts the third batch, of two recordings."""
    for shard in range(shards):
        predicted(home, clips, output, f"shards={shards}", f"shard={shard}", *overrides)


def parts_of(output: Path) -> dict[str, int]:
    """The parts and their modification times, in the order of their shards."""
    folder = Path(f"{output}.shards")
    return {path.name: path.stat().st_mtime_ns for path in sorted(folder.glob("part-*.csv"))}


def test_a_multirun_of_shards_gives_the_table_of_one_process(home, tmp_path):
    table = tmp_path / "확률, a=b.csv"
    options = ["shard=range(3)", f"run_dir={home / 'sweep'}", f"input={home / 'clips'}", "device=cpu", "batch_size=2"]
    printed = run("predict.py", "-m", "shards=3", *options, f"output={table}", cwd=tmp_path)
    assert table.read_bytes() == (home / "whole.csv").read_bytes()
    assert "shard 0 of 3, 4 recordings: 2 of 3 parts missing" in printed
    assert printed.count(f"merged all parts into {table}") == 1
    folder = tmp_path / "확률, a=b.csv.shards"
    assert set(tmp_path.iterdir()) == {table, folder}
    assert {path.name for path in folder.iterdir()} == {*parts_of(table), "multirun.yaml"}


@pytest.mark.parametrize("shards", [3, 9])
def test_only_a_missing_part_is_predicted_again(home, tmp_path, shards):
    output = tmp_path / "probs.csv"
    run_shards(home, home / "clips", output, shards=shards)
    before = parts_of(output)
    deleted = list(before)[1]
    (tmp_path / "probs.csv.shards" / deleted).unlink()
    output.unlink()
    run_shards(home, home / "clips", output, shards=shards)
    assert output.read_bytes() == (home / "whole.csv").read_bytes() and len(before) == shards
    assert [name for name, changed in parts_of(output).items() if before[name] != changed] == [deleted]
    run_shards(home, home / "clips", output, shards=shards)  # a complete table is kept without overwrite=true


@pytest.mark.parametrize("content", ["no audio", None])
def test_an_unreadable_recording_stops_only_its_shard(home, clips, tmp_path, content):
    paths, output, listed = sorted(clips.iterdir()), tmp_path / "probs.csv", clips / "list.txt"
    listed.write_text("\n".join(path.name for path in paths))
    paths[4].unlink()
    if content:
        paths[4].write_text(content)
    with pytest.raises(DataError, match=re.escape(str(paths[4]))):
        predicted(home, listed, output, "shards=3", "shard=1")
    for shard in (0, 2):
        predicted(home, listed, output, "shards=3", f"shard={shard}")
    with pytest.raises(DataError, match=re.escape(str(paths[4]))):  # no table without a row, of the same path twice
        listed.write_text(f"{paths[4]}\n{paths[4]}")
        predicted(home, listed, output, "skip_unreadable=true")
    with pytest.raises(SettingError, match="the input; give another"):
        predicted(home, listed, listed, "overwrite=true")
    listed.write_text("\n".join(path.name for path in paths))
    before = parts_of(output)
    assert [name[:6] for name in before] == ["part-0", "part-2"] and not output.exists()
    shutil.copy(home / "clips" / paths[4].name, paths[4])
    predicted(home, listed, output, "shards=3", "shard=1")
    assert before.items() < parts_of(output).items()
    assert len(output.read_text().splitlines()) == NUM_CLIPS + 1


def test_parts_of_other_stacking_weights_are_not_reused(home, tmp_path, monkeypatch):
    stacking = StackingWeights({"avg_seed0": 0.5}, dict.fromkeys(WORDS, 0.0), floor=1e-10, val_kl=0.1, mean_kl=0.2)
    tables = []
    for weights in (stacking, None):
        for module in ("safetensors_file", "shards"):
            name = f"overlapped_words.inference.{module}.find_fitted"
            monkeypatch.setattr(name, lambda _, weights=weights: (weights, EventRule()))
        predicted(home, home / "clips", tmp_path / "whole.csv", "overwrite=true")
        run_shards(home, home / "clips", tmp_path / "parts.csv", "overwrite=true")
        assert (tmp_path / "parts.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()
        tables.append((tmp_path / "parts.csv").read_bytes())
    assert tables[0] != tables[1]


def test_a_part_of_another_recording_is_not_merged(home, clips, tmp_path):
    output = tmp_path / "probs.csv"
    run_shards(home, clips, output)
    before, table = parts_of(output), output.read_bytes()
    shutil.copyfile(clips / "0.flac", clips / "4.flac")
    with pytest.raises(SettingError, match=r"probs\.csv: exists; give another output=FILE"):
        predicted(home, clips, output, "shards=3", "shard=0")
    predicted(home, clips, output, "shards=3", "shard=0", "overwrite=true")
    assert output.read_bytes() == table  # another part is missing
    predicted(home, clips, output, "shards=3", "shard=1", "overwrite=true")
    predicted(home, clips, tmp_path / "whole.csv")
    assert output.read_bytes() == (tmp_path / "whole.csv").read_bytes() != table
    after = parts_of(output)
    assert len(after) == 3 and list(before)[1] not in after  # the outdated part is deleted, the others are kept
    assert len(before.items() & after.items()) == 2


def test_rejected_shards_write_nothing(home, clips, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    for overrides, message in (
        (["shards=3", "shard=3"], "shard is 3, outside of 3 shards; give one from 0 to 2"),
        (["shards=3", "output=null"], "3 shards have no table to be merged into; give output=FILE"),
        (["shards=3", "input={clips}/0.flac"], "0.flac: one recording cannot be split into 3 shards; leave out shards"),
    ):
        with pytest.raises(SettingError, match=re.escape(message)):
            predicted(home, clips, tmp_path / "probs.csv", *(override.format(clips=clips) for override in overrides))
        assert sorted(tmp_path.rglob("*")) == before


def test_concurrent_writers_of_one_file_do_not_collide(tmp_path):
    texts = [letter * 10_000 for letter in "abcdefgh"]
    with ThreadPoolExecutor(len(texts)) as pool:
        list(pool.map(write_text, [tmp_path / "probs.csv"] * 400, texts * 50))
    assert (tmp_path / "probs.csv").read_text() in texts
    assert [path.name for path in tmp_path.iterdir()] == ["probs.csv"]
