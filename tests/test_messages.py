"""What users read: errors as one line, bugs as tracebacks, arguments, names and counts."""

import logging
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hydra.errors import InstantiationException

from overlapped_words import cli
from overlapped_words.errors import DataError
from overlapped_words.messages import clock, count, first_names, grouped, printable
from overlapped_words.settings.scripts import Ensemble, Predict
from tests.helpers.scripts import ROOT


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["ensemble.py", "run_dir=."])
    monkeypatch.setenv("HYDRA_FULL_ERROR", "")


def raising(error: BaseException) -> None:

    def main(settings: object) -> None:
        raise error

    cli.run(main, Ensemble)


def wrapped(error: Exception) -> InstantiationException:
    """As Hydra raises what a constructor raised."""
    outer = InstantiationException(f"Error in call to target 'a.b': {error!r}")
    outer.__cause__ = error
    return outer


def test_a_user_error_is_its_message(monkeypatch: pytest.MonkeyPatch) -> None:
    for error, message in (
        (DataError("a.wav: empty; remove it"), "a.wav: empty; remove it"),
        (wrapped(DataError("data.root is 3; give a path")), "data.root is 3; give a path"),
        (FileNotFoundError(2, "No such file or directory", "b.wav"), "b.wav: No such file or directory"),
        (OSError("device is gone"), "device is gone"),
        (InstantiationException("Error locating target 'a.b'"), "Error locating target 'a.b'"),
        (DataError("a\x1b[2J.wav: empty\ntwo lines"), "a\\x1b[2J.wav: empty\ntwo lines"),
    ):
        monkeypatch.setenv("HYDRA_FULL_ERROR", "")  # which cli.run sets
        with pytest.raises(SystemExit) as end:
            raising(error)
        assert end.value.code == message  # printed on stderr, with status 1


@pytest.mark.parametrize("error", [ValueError("shapes do not match"), wrapped(TypeError("an int")), KeyError("x")])
def test_a_bug_is_a_traceback(error: Exception) -> None:
    with pytest.raises(type(error)):
        raising(error)


def test_arguments_as_hydra_reads_them_and_a_file_as_the_input(tmp_path: Path) -> None:
    for argument, override in (
        ("logger=null", "~logger"),
        ("callbacks=null", "~callbacks"),
        ("logger.tensorboard=null", "logger.tensorboard=null"),
        ("teacher=null", "teacher=null"),
        ("ckpt_path=null", "ckpt_path=null"),
        ("ckpt_path=a=b.ckpt", "ckpt_path='a=b.ckpt'"),
    ):
        assert cli.as_overrides([argument], Ensemble) == [override]
    other = tmp_path / "dog.wav"
    other.touch()
    assert cli.as_overrides(["overwrite=true", str(other)], Predict) == ["overwrite=true", f"input='{other}'"]
    assert cli.as_overrides(["-m", "--cfg", "job"], Predict) == ["-m", "--cfg", "job"]


def test_an_argument_that_is_no_setting() -> None:
    for arguments, message in (
        (["nosuch.wav"], "nosuch.wav: no such file or folder; give a recording"),
        ([".", ".."], "..: a second input; give one recording"),
    ):
        with pytest.raises(SystemExit, match=f"^{re.escape(message)}"):
            cli.as_overrides(arguments, Predict)


def test_ctrl_c_and_a_closed_pipe_end_with_the_status_that_a_shell_expects(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="130"):
        raising(KeyboardInterrupt())
    reader, writer = os.pipe()
    os.close(reader)  # as head does once it has seen enough
    command = [sys.executable, ROOT / "ensemble.py", "--help"]
    process = subprocess.Popen(command, stdout=writer, stderr=subprocess.PIPE, cwd=tmp_path)
    os.close(writer)
    assert process.communicate()[1] == b"" and process.returncode == 1


def test_lists_counts_and_points_in_time():
    assert first_names([]) == "none" and first_names("ab") == "a, b"
    assert first_names("abcde") == "a, b, c and 2 more"
    assert [count(number, "file") for number in (0, 1, 2, 1000)] == ["0 files", "1 file", "2 files", "1,000 files"]
    times = [clock(seconds) for seconds in (0, 7.24, 59.96, 754.5, 3599.94, 3727.2)]
    assert times == ["0:00.0", "0:07.2", "1:00.0", "12:34.5", "59:59.9", "1:02:07.2"]


def test_control_characters_are_escaped_and_words_not_changed():
    for text in ("naïve 말소리 #1", "می\u200cخواهم", "क्\u200dष", "👋 <b> $x$ %s \\n"):
        assert printable(text) == text
    assert printable("\x1b[2Jgone\r\x9b31m\x07\x7f") == r"\x1b[2Jgone\r\x9b31m\x07\x7f"
    assert printable("a\nb\tc exe\u202egpj.wav") == r"a\nb\tc exe\u202egpj.wav"
    assert printable("caf\udce9") == r"caf\udce9"  # a file name that is not UTF-8


def test_warnings_of_one_name_are_grouped_and_others_pass(caplog):
    log = logging.getLogger("datamodules")
    with grouped(log):
        for name in "cab":
            log.warning("%s: too quiet", name)
        log.warning("%s: cut at %d samples", "d", 5)
        log.warning("done")
    assert caplog.messages == ["d: cut at 5 samples", "done", "a, b, c: too quiet"]
