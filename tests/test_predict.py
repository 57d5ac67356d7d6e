"""predict.py over long recordings; of clips, its runs are in test_cli.py, shards in test_shards.py."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from hydra import compose, initialize_config_dir

from errors import DataError
from overlapped_words import load
from predict import predict
from tests.fake_members import WORDS, write_network
from tests.fake_recordings import RATE, speech
from tests.scripts import ROOT, run


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a member, `sweep`, and `talks`: a long recording and a short one."""
    home = tmp_path_factory.mktemp("home")
    write_network(home / "sweep", "avg", 0)
    (home / "talks").mkdir()
    soundfile.write(home / "talks" / "long.flac", speech(0, 3.1), RATE)
    soundfile.write(home / "talks" / "short.wav", speech(1, 0.6), RATE)
    return home


def slide(home: Path, *overrides: str) -> None:
    """predict.py in this process."""
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        predict(compose("predict", [f"run_dir={home / 'sweep'}", "device=cpu", *overrides]))


@pytest.fixture(scope="module")
def table(home: Path) -> pd.DataFrame:
    slide(home, f"input={home / 'talks'}", f"output={home / 'table.csv'}", "hop=0.5", "plot=true")
    return pd.read_csv(home / "table.csv")


def test_a_folder_gives_a_row_a_window(home, table):
    assert list(table) == ["id", "start_s", "end_s", *WORDS]
    assert list(table.id) == ["long"] * 6 + ["short"]
    assert list(table.start_s) == [0, 0.5, 1, 1.5, 2, 2.1, 0] and list(table.end_s) == [1, 1.5, 2, 2.5, 3, 3.1, 0.6]
    model = load(home / "sweep", "cpu")
    wanted = [model.timeline(home / "talks" / name, hop=0.5) for name in ("long.flac", "short.wav")]
    np.testing.assert_allclose(table[WORDS], np.concatenate(wanted), rtol=1e-6)


def test_a_folder_gives_a_picture_a_recording(home, table):
    assert sorted(path.name for path in (home / "table").iterdir()) == ["0000_long.png", "0001_short.png"]


def test_shards_make_the_same_timelines(home, table):
    for shard in (0, 1):
        arguments = [f"input={home / 'talks'}", f"output={home / 'parts.csv'}", "hop=0.5", "shards=2", f"shard={shard}"]
        slide(home, *arguments)
    assert (home / "parts.csv").read_bytes() == (home / "table.csv").read_bytes()


def test_one_recording_gives_a_table_and_a_picture_where_the_command_is_given(home, tmp_path):
    arguments = [f"run_dir={home / 'sweep'}", f"input={home / 'talks' / 'long.flac'}", "hop=0.25", "plot=true"]
    printed = run("predict.py", *arguments, cwd=tmp_path)
    assert "1 recordings in 10 windows, 1 member: timeline.csv" in printed
    assert sorted(path.name for path in tmp_path.iterdir()) == ["timeline.csv", "timeline.png"]
    assert len(pd.read_csv(tmp_path / "timeline.csv")) == 10


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["hop=2"], "hop is 2; give the seconds from one window to the next"),
        (["hop=often"], "hop is 'often'; give the seconds"),
        (["plot=true"], "plot=True; give true or false, and with true hop=0.25 or the like and no shards"),
        (["hop=0.5", "plot=true", "shards=2"], "plot=True; give true or false"),
        (["hop=0.5", "plot=a.png"], "plot=a.png; give true or false"),
        (["hop=0.5", "output=nix/probs.csv"], "nix/probs.csv: there is no folder nix; make it"),
    ],
)
def test_settings_that_make_no_timeline_are_refused(home, tmp_path, monkeypatch, overrides, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=re.escape(message)):
        slide(home, f"input={home / 'talks'}", "output=probs.csv", *overrides)
    assert not list(tmp_path.iterdir())


def test_broken_recordings_are_named_and_nothing_is_written(home, tmp_path):
    names = ["bad.wav", "absent.wav", str(home / "talks" / "short.wav")]
    (tmp_path / "bad.wav").write_text("no sound")
    (tmp_path / "list.txt").write_text("\n".join(names))
    with pytest.raises(DataError) as caught:
        slide(home, f"input={tmp_path / 'list.txt'}", f"output={tmp_path / 'probs.csv'}", "hop=0.5", "plot=true")
    first, *lines = str(caught.value).splitlines()
    assert first == "2 of 3 recordings cannot be used:"
    assert [line.split(":")[0] for line in lines] == [str(tmp_path / "absent.wav"), str(tmp_path / "bad.wav")]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.wav", "list.txt"]
