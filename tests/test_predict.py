"""What predict.py writes and prints; test_cli.py has more of its runs, test_shards.py its shards."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from overlapped_words import load
from overlapped_words.errors import DataError, UserError
from overlapped_words.inference.predictions import predict
from tests.helpers.composed import settings_of
from tests.helpers.fake_members import WORDS
from tests.helpers.fake_recordings import RATE, speech
from tests.helpers.networks import write_network
from tests.helpers.scripts import ENVIRONMENT, ROOT, run


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a member, `sweep`, and `talks`: a long recording and a short one."""
    home = tmp_path_factory.mktemp("home")
    write_network(home / "sweep", "avg", 0)
    (home / "talks").mkdir()
    soundfile.write(home / "talks" / "long.flac", speech(0, 3.1), RATE)
    soundfile.write(home / "talks" / "short.wav", speech(1, 0.6), RATE)
    return home


def run_predict(home: Path, *overrides: str, run_dir: str = "sweep") -> None:
    """predict.py in this process."""
    predict(settings_of("predict", f"run_dir={home / run_dir}", "device=cpu", *overrides))


@pytest.fixture(scope="module")
def table(home: Path) -> pd.DataFrame:
    run_predict(home, f"input={home / 'talks'}", f"output={home / 'table.csv'}", "hop=0.5", "plot=true")
    return pd.read_csv(home / "table.csv")


def test_a_folder_gives_one_row_per_window(home, table):
    assert list(table) == ["id", "start_s", "end_s", *WORDS]
    assert list(table.id) == ["long"] * 6 + ["short"]
    assert list(table.start_s) == [0, 0.5, 1, 1.5, 2, 2.1, 0] and list(table.end_s) == [1, 1.5, 2, 2.5, 3, 3.1, 0.6]
    model = load(home / "sweep", "cpu")
    expected = [model.timeline(home / "talks" / name, hop=0.5) for name in ("long.flac", "short.wav")]
    np.testing.assert_allclose(table[WORDS], np.concatenate(expected), rtol=1e-6)


def test_a_folder_gives_one_plot_per_recording(home, table):
    assert sorted(path.name for path in (home / "table").iterdir()) == ["0000_long.png", "0001_short.png"]


def test_shards_give_the_same_timelines(home, table):
    for shard in (0, 1):
        arguments = [f"input={home / 'talks'}", f"output={home / 'parts.csv'}", "hop=0.5", "shards=2", f"shard={shard}"]
        run_predict(home, *arguments)
    assert (home / "parts.csv").read_bytes() == (home / "table.csv").read_bytes()


def test_one_recording_gives_a_table_and_a_plot_in_the_working_folder(home, tmp_path):
    arguments = [f"run_dir={home / 'sweep'}", f"input={home / 'talks' / 'long.flac'}", "hop=0.25", "plot=true"]
    printed = run("predict.py", *arguments, cwd=tmp_path)
    assert "1 recording in 10 windows, 1 member: timeline.csv\n1 plot: timeline.png\n" in printed
    assert sorted(path.name for path in tmp_path.iterdir()) == ["timeline.csv", "timeline.png"]
    assert len(pd.read_csv(tmp_path / "timeline.csv")) == 10


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["plot=true"], "plot is true; add hop=0.25 or the like"),
        (["hop=0.5", "plot=true", "shards=2"], "plot is true; add hop=0.25 or the like, and leave out shards"),
        (["hop=0.5", "output=nix/probs.csv"], "nix/probs.csv: folder nix not found; create it"),
        (["output=probs.parquet"], "output is probs.parquet; the table is CSV: give a name that ends in .csv"),
        (["output=/dev/null", "overwrite=true"], "/dev/null: a folder or a device, not a file; give another output"),
    ],
)
def test_invalid_settings_of_timelines_are_errors(home, tmp_path, monkeypatch, overrides, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=re.escape(message)):
        run_predict(home, f"input={home / 'talks'}", "output=probs.csv", *overrides)
    assert not list(tmp_path.iterdir())


def test_broken_recordings_are_named_and_nothing_is_written(home, tmp_path):
    names = ["bad.wav", "absent.wav", str(home / "talks" / "short.wav")]
    (tmp_path / "bad.wav").write_text("not audio")
    (tmp_path / "list.txt").write_text("\n".join(names))
    with pytest.raises(DataError) as caught:
        run_predict(home, f"input={tmp_path / 'list.txt'}", f"output={tmp_path / 'probs.csv'}", "hop=0.5", "plot=true")
    first, *lines = str(caught.value).splitlines()
    assert first == "2 of 3 recordings cannot be used:"
    assert [line.split(":")[0] for line in lines] == [str(tmp_path / "absent.wav"), str(tmp_path / "bad.wav")]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.wav", "list.txt"]


def test_the_paths_of_all_files_are_printed(home, tmp_path, capsys):
    run_predict(home, f"input={home / 'talks'}", f"output={tmp_path / 'a.csv'}", "hop=1", "plot=true")
    folder = tmp_path / "a"
    assert capsys.readouterr().out.splitlines() == [
        f"2 recordings in 5 windows, 1 member: {tmp_path / 'a.csv'}",
        f"2 plots: {folder / '0000_long.png'} to {folder / '0001_short.png'}",
    ]


@pytest.mark.parametrize(
    ("existing", "overrides"),
    [
        ("predictions.csv", []),
        ("timeline.csv", ["hop=1"]),
        ("mine.csv", ["output=mine.csv"]),
        ("mine.png", ["output=mine.csv", "hop=1", "plot=true", "input={home}/talks/short.wav"]),
        ("mine/0001_short.png", ["output=mine.csv", "hop=1", "plot=true"]),
    ],
)
def test_files_are_overwritten_only_with_overwrite(home, tmp_path, monkeypatch, existing, overrides):
    monkeypatch.chdir(tmp_path)
    (tmp_path / existing).parent.mkdir(exist_ok=True)
    (tmp_path / existing).write_text("keep")
    options = [f"input={home / 'talks'}", *(override.format(home=home) for override in overrides)]
    with pytest.raises(UserError, match=f"^{existing} exists; give another output=FILE, or overwrite=true"):
        run_predict(home, *options)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [Path(existing).name]
    assert (tmp_path / existing).read_text() == "keep"
    run_predict(home, *options, "overwrite=true")
    assert (tmp_path / existing).read_bytes() != b"keep"


@pytest.fixture
def mixed(home: Path, tmp_path: Path) -> Path:
    """The recordings of `talks` and two that cannot be read."""
    mixed = tmp_path / "mixed"
    shutil.copytree(home / "talks", mixed)
    (mixed / "bad.wav").write_text("<html>not found</html>")
    (mixed / "worse.flac").write_text("not audio")
    return mixed


@pytest.mark.parametrize("hop", [[], ["hop=0.5"]])
def test_unreadable_recordings_are_skipped_with_skip_unreadable(home, mixed, tmp_path, caplog, hop):
    table = tmp_path / "probs.csv"
    with pytest.raises(DataError, match="2 of 4 recordings cannot be used"):
        run_predict(home, f"input={mixed}", f"output={table}", *hop)
    run_predict(home, f"input={mixed}", f"output={table}", *hop, "skip_unreadable=true")
    run_predict(home, f"input={home / 'talks'}", f"output={tmp_path / 'expected.csv'}", *hop)
    table, expected = (pd.read_csv(tmp_path / name, index_col=0) for name in ("probs.csv", "expected.csv"))
    pd.testing.assert_frame_equal(table, expected)
    skipped = [message for message in caplog.messages if "loudest" not in message]
    assert skipped[0] == "2 recordings skipped:"
    assert skipped[1] == f"  {mixed / 'bad.wav'}: a web page (HTML), not a recording; replace it with the recording"
    assert skipped[2].startswith(f"  {mixed / 'worse.flac'}: cannot be read as audio")


def test_nothing_is_written_if_no_recording_can_be_read(home, mixed, tmp_path):
    for path in mixed.iterdir():
        path.write_text("not audio")
    with pytest.raises(DataError, match="4 of 4 recordings cannot be used"):
        run_predict(home, f"input={mixed}", f"output={tmp_path / 'probs.csv'}", "skip_unreadable=true")
    assert list(tmp_path.iterdir()) == [mixed]


@pytest.mark.parametrize("hop", [[], ["hop=0.5"]])
def test_telephone_and_long_recordings_get_one_warning_each(home, tmp_path, caplog, hop):
    folder = shutil.copytree(home / "talks", tmp_path / "calls")
    for name in ("a", "b"):
        soundfile.write(folder / f"{name}.wav", speech(3, 2, 8_000), 8_000, subtype="ULAW")
    run_predict(home, f"input={folder}", f"output={tmp_path / 'probs.csv'}", *hop)
    messages = [record.getMessage() for record in caplog.records]
    assert messages[0].startswith(f"{folder / 'a.wav'}, {folder / 'b.wav'}: narrowband audio")
    assert "the model was trained on wideband audio" in messages[0]
    long = f"only the loudest second of 3 s ({folder / 'long.flac'}) is used; add hop=0.25 for a timeline of all of it"
    assert messages[1:] == ([] if hop else [long])


def test_a_plot_does_not_replace_a_pipe(home, tmp_path):
    os.mkfifo(tmp_path / "a.png")
    options = [f"input={home / 'talks' / 'long.flac'}", f"output={tmp_path / 'a.csv'}", "hop=1", "plot=true"]
    with pytest.raises(UserError, match=r"a\.png: a folder or a device, not a file"):
        run_predict(home, *options, "overwrite=true")
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"] and (tmp_path / "a.png").is_fifo()


def test_a_console_that_cannot_encode_a_word_shows_its_escape(home):
    command = [
        sys.executable,
        ROOT / "predict.py",
        f"run_dir={home / 'sweep'}",
        f"input={home / 'talks' / 'short.wav'}",
    ]
    environment = {**ENVIRONMENT, "PYTHONIOENCODING": "cp1252"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, encoding="cp1252")
    assert done.returncode == 0, done.stderr
    assert r"\ud558\ub098  " in done.stdout and done.stderr == ""


def test_control_characters_in_words_and_names_are_escaped(tmp_path, capsys):
    write_network(tmp_path / "odd", "avg", 0, ["\x1b[2Jyes", "한\tno"])
    soundfile.write(tmp_path / "a\x1b]0;b\x07.wav", speech(0), RATE)
    run_predict(tmp_path, f"input='{tmp_path}/a\x1b]0;b\x07.wav'", run_dir="odd")
    printed = capsys.readouterr().out
    assert r"a\x1b]0;b\x07.wav, 1 member" in printed and r"  \x1b[2Jyes  " in printed and r"  한\tno  " in printed
    assert "\x1b" not in printed and "\x07" not in printed


@pytest.mark.parametrize(
    ("script", "arguments", "message"),
    [
        ("predict.py", ["run_dir=nix"], "input is not set; give input=..., a recording, a folder of recordings, or a"),
        ("predict.py", ["run_dir=.", "input=nix.wav"], "input is 'nix.wav'; no such file or folder"),
        (
            "predict.py",
            ["run_dir=nix", "input=."],
            "run_dir is 'nix'; no such file or folder",
        ),
        ("export.py", ["ckpt_path=nix.ckpt"], "ckpt_path is 'nix.ckpt'; no such file"),
        ("app.py", ["run_dir=nix"], "run_dir is 'nix'; no such file or folder"),
    ],
)
def test_a_wrong_path_is_an_error_before_torch_is_imported(tmp_path, script, arguments, message):
    (tmp_path / "a.wav").touch()
    for package in ("torch", "gradio", "matplotlib"):
        (tmp_path / f"{package}.py").write_text(f"raise SystemExit('{package} was imported')")
    command = [sys.executable, str(ROOT / script), *arguments]
    environment = {**ENVIRONMENT, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 1 and done.stderr.startswith(message) and len(done.stderr.splitlines()) == 1
