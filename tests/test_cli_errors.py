"""How scripts exit: user errors as one line, bugs as tracebacks, closed pipes and Ctrl-C silently."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hydra.errors import InstantiationException

from overlapped_words import cli
from overlapped_words.errors import DataError
from overlapped_words.settings.app import App
from overlapped_words.settings.ensemble import Ensemble
from overlapped_words.settings.predict import Predict
from tests.helpers.scripts import ROOT


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    """What `cli.run` changes is put back."""
    monkeypatch.setattr(sys, "argv", ["ensemble.py", "run_dir=."])
    monkeypatch.setenv("HYDRA_FULL_ERROR", "")


def raising(error: BaseException) -> None:
    """Run a script whose call into the package raises."""

    def main(settings: object) -> None:
        raise error

    cli.run(main, Ensemble)


def wrapped(error: Exception) -> InstantiationException:
    """As Hydra raises what a constructor raised."""
    outer = InstantiationException(f"Error in call to target 'a.b': {error!r}")
    outer.__cause__ = error
    return outer


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (DataError("a.wav: empty; remove it"), "a.wav: empty; remove it"),
        (wrapped(DataError("data.root is 3; give a path")), "data.root is 3; give a path"),
        (FileNotFoundError(2, "No such file or directory", "b.wav"), "b.wav: No such file or directory"),
        (OSError("device is gone"), "device is gone"),
        (InstantiationException("Error locating target 'a.b'"), "Error locating target 'a.b'"),
        (DataError("a\x1b[2J.wav: empty\ntwo lines"), "a\\x1b[2J.wav: empty\ntwo lines"),
    ],
)
def test_a_user_error_is_its_message(error: Exception, message: str) -> None:
    with pytest.raises(SystemExit) as end:
        raising(error)
    assert end.value.code == message  # printed on stderr, with status 1


@pytest.mark.parametrize("error", [ValueError("shapes do not match"), wrapped(TypeError("an int")), KeyError("x")])
def test_a_bug_is_a_traceback(error: Exception) -> None:
    with pytest.raises(type(error)):
        raising(error)


@pytest.mark.parametrize(
    ("argument", "override"),
    [
        ("logger=null", "~logger"),
        ("callbacks=null", "~callbacks"),
        ("logger.tensorboard=null", "logger.tensorboard=null"),
        ("teacher=null", "teacher=null"),
        ("ckpt_path=null", "ckpt_path=null"),
        ("ckpt_path=a=b.ckpt", "ckpt_path='a=b.ckpt'"),
    ],
)
def test_arguments_as_hydra_reads_them(argument: str, override: str) -> None:
    assert cli.as_overrides([argument], Ensemble) == [override]


def test_a_first_argument_that_is_a_file_is_the_input(tmp_path: Path) -> None:
    other = tmp_path / "dog.wav"
    other.touch()
    assert cli.as_overrides([str(other)], Predict) == [f"input='{other}'"]
    assert cli.as_overrides(["-m", "--cfg", "job"], Predict) == ["-m", "--cfg", "job"]


@pytest.mark.parametrize(
    ("schema", "arguments", "message"),
    [
        (Predict, ["nosuch.wav"], "nosuch.wav: no such file or folder; give a recording"),
        (Predict, [".", ".."], "..: a second input; give one recording"),
        (App, ["."], ".: not a setting; give name=value, such as run_dir=."),
        (App, ["port"], "port: not a setting; give name=value"),
    ],
)
def test_an_argument_that_is_no_setting(schema: type, arguments: list[str], message: str) -> None:
    with pytest.raises(SystemExit, match=re.escape(message)):
        cli.as_overrides(arguments, schema)


def test_ctrl_c_ends_with_the_status_that_a_shell_expects() -> None:
    with pytest.raises(SystemExit) as end:
        raising(KeyboardInterrupt())
    assert end.value.code == 130


def test_output_to_a_closed_pipe_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w") as pipe, pytest.raises(SystemExit) as end:
        monkeypatch.setattr(sys, "stdout", pipe)
        cli.run(lambda settings: print("a line"), Ensemble)
    assert end.value.code == 1


def test_a_pipe_that_closes_is_silent(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)  # as head does once it has seen enough
    scripts = ["train.py", "predict.py", "ensemble.py", "export.py", "app.py"]
    started = [
        subprocess.Popen(
            [sys.executable, str(ROOT / script), "--help"], stdout=writer, stderr=subprocess.PIPE, cwd=tmp_path
        )
        for script in scripts
    ]
    os.close(writer)
    assert [process.communicate()[1] for process in started] == [b""] * len(scripts)
