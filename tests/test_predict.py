"""What predict.py writes and prints; test_cli.py has more of its runs, test_shards.py its shards."""

import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from overlapped_words import load
from overlapped_words.errors import DataError, UserError
from tests.helpers.composed import run_predict
from tests.helpers.fake_members import WORDS
from tests.helpers.fake_recordings import speech, write
from tests.helpers.networks import write_network
from tests.helpers.scripts import ROOT, fresh


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    write_network(home / "sweep", "avg", 0)
    (home / "talks").mkdir()
    write(home / "talks" / "long.flac", speech(0, 3.1))
    write(home / "talks" / "short.wav", speech(1, 0.6))
    return home


def predicted(home: Path, *overrides: str) -> None:
    run_predict(home / "sweep", *overrides)


def test_a_folder_gives_one_table_of_windows_and_one_plot_per_recording(home, tmp_path, capsys):
    talks, table, folder = home / "talks", tmp_path / "a.csv", tmp_path / "a"
    predicted(home, f"input={talks}", f"output={table}", "hop=0.5", "plot=true")
    assert capsys.readouterr().out.splitlines() == [
        f"2 recordings in 7 windows, 1 member: {table}",
        f"2 plots: {folder / '0000_long.png'} to {folder / '0001_short.png'}",
    ]
    assert sorted(path.name for path in folder.iterdir()) == ["0000_long.png", "0001_short.png"]
    rows = pd.read_csv(table)
    assert list(rows) == ["id", "start_s", "end_s", *WORDS] and list(rows.id) == ["long"] * 6 + ["short"]
    assert list(rows.start_s) == [0, 0.5, 1, 1.5, 2, 2.1, 0] and list(rows.end_s) == [1, 1.5, 2, 2.5, 3, 3.1, 0.6]
    model = load(home / "sweep", "cpu")
    expected = [model.timeline(talks / name, hop=0.5) for name in ("long.flac", "short.wav")]
    np.testing.assert_allclose(rows[WORDS], np.concatenate(expected), rtol=1e-6)


def test_invalid_settings_are_errors(home, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for overrides, message in (
        (["plot=true"], "plot is true; add events=true or hop=0.25"),
        (["hop=0.5", "events=true"], "events is true and hop is 0.5; leave out hop"),
        (["threshold=0.5"], "threshold is 0.5, but only events have one; add events=true"),
        (["events=true"], "events need members that predict sets of words and know silence; train them with"),
        (["hop=0.5", "output=nix/probs.csv"], "nix/probs.csv: cannot be written (No such file or directory); create"),
        (["output=probs.parquet"], "output is probs.parquet; the table is a CSV file: give a name that ends in .csv"),
        (["output=/dev/null", "overwrite=true"], "output is /dev/null; the table is a CSV file"),
        (["top=0"], "top is 0; it should be greater than or equal to 1"),
        (["device=cuda"], "device is cuda, but PyTorch finds"),
        ([f"ckpt_path={__file__}"], "give either run_dir=FOLDER"),
    ):
        with pytest.raises(UserError, match=re.escape(message)):
            predicted(home, f"input={home / 'talks'}", "output=probs.csv", *overrides)
        assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("existing", "overrides"),
    [
        ("predictions.csv", []),
        ("timeline.csv", ["hop=1"]),
        ("mine.png", ["output=mine.csv", "hop=1", "plot=true", "input={home}/talks/short.wav"]),
        ("mine/0001_short.png", ["output=mine.csv", "hop=1", "plot=true"]),
    ],
)
def test_files_are_overwritten_only_with_overwrite(home, tmp_path, monkeypatch, existing, overrides):
    monkeypatch.chdir(tmp_path)
    (tmp_path / existing).parent.mkdir(exist_ok=True)
    (tmp_path / existing).write_text("keep")
    options = [f"input={home / 'talks'}", *(override.format(home=home) for override in overrides)]
    with pytest.raises(UserError, match=f"^{existing}: exists; give another output=FILE, or overwrite=true"):
        predicted(home, *options)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [Path(existing).name]
    assert (tmp_path / existing).read_text() == "keep"
    predicted(home, *options, "overwrite=true")
    assert (tmp_path / existing).read_bytes() != b"keep"


@pytest.mark.parametrize("hop", [[], ["hop=0.5"]])
def test_unreadable_recordings_are_an_error_or_skipped(home, tmp_path, caplog, hop):
    mixed = shutil.copytree(home / "talks", tmp_path / "mixed")
    output, expected = tmp_path / "a.csv", tmp_path / "b.csv"
    (mixed / "bad.wav").write_text("<html>not found</html>")
    (mixed / "worse.flac").write_text("not audio")
    web_page = f"{mixed / 'bad.wav'}: cannot be read as audio (Format not recognised.); replace it or remove it"
    with pytest.raises(DataError, match=f"^2 of 4 recordings cannot be used:\n{re.escape(web_page)}\n.*worse.flac: c"):
        predicted(home, f"input={mixed}", f"output={output}", *hop)
    assert not output.exists()
    predicted(home, f"input={mixed}", f"output={output}", *hop, "skip_unreadable=true")
    predicted(home, f"input={home / 'talks'}", f"output={expected}", *hop)
    pd.testing.assert_frame_equal(pd.read_csv(output), pd.read_csv(expected))
    skipped = [message for message in caplog.messages if "loudest" not in message]
    assert skipped[:2] == ["2 recordings skipped:", f"  {web_page}"] and "worse.flac: c" in skipped[2]
    for path in mixed.iterdir():
        path.write_text("not audio")
    with pytest.raises(DataError, match="4 of 4 recordings cannot be used"):
        predicted(home, f"input={mixed}", f"output={tmp_path / 'c.csv'}", *hop, "skip_unreadable=true")
    assert not (tmp_path / "c.csv").exists()


@pytest.mark.parametrize("hop", [[], ["hop=0.5"]])
def test_telephone_and_long_recordings_get_one_warning_each(home, tmp_path, caplog, hop):
    folder = shutil.copytree(home / "talks", tmp_path / "calls")
    for name in ("a", "b"):
        write(folder / f"{name}.wav", speech(3, 2, 8_000), 8_000, subtype="ULAW")
    predicted(home, f"input={folder}", f"output={tmp_path / 'probs.csv'}", *hop)
    messages = [record.getMessage() for record in caplog.records]
    assert messages[0].startswith(f"{folder / 'a.wav'}, {folder / 'b.wav'}: narrowband audio")
    long = f"only the loudest second of 3 s ({folder / 'long.flac'}) is used; add hop=0.25 for a timeline of all of it"
    assert messages[1:] == ([] if hop else [long])


def test_what_a_console_cannot_show_is_escaped(home, tmp_path, capsys):
    options = [f"run_dir={home / 'sweep'}", f"input={home}/talks/short.wav"]
    done = fresh(ROOT / "predict.py", *options, PYTHONIOENCODING="cp1252")
    assert (done.returncode, done.stderr) == (0, "") and r"\ud558\ub098  " in done.stdout
    write_network(tmp_path / "odd", "avg", 0, ["\x1b[2Jyes", "한\tno"])
    write(tmp_path / "a\x1b]0;b\x07.wav", speech(0))
    run_predict(tmp_path / "odd", f"input='{tmp_path}/a\x1b]0;b\x07.wav'")
    printed = capsys.readouterr().out
    assert r"a\x1b]0;b\x07.wav, 1 member" in printed and r"  \x1b[2Jyes  " in printed and r"  한\tno  " in printed
    assert "\x1b" not in printed and "\x07" not in printed
