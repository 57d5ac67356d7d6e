"""The cache builds an array once, completely or not at all, also with several processes and after a kill."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from datamodules import cache
from datamodules.cache import cache_key, cached_array, fingerprint
from overlapped_words.errors import CacheError
from tests.helpers.build_array import VALUES, Build, ask
from tests.helpers.fake_recordings import cached_files
from tests.helpers.scripts import ROOT


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep/er/array.npy"


def test_an_array_is_built_once_or_in_memory(path, caplog):
    build = Build()
    for _ in range(3):
        array = ask(path, build)
        assert isinstance(array, np.memmap) and not array.flags.writeable
        assert np.array_equal(array, VALUES) and array.dtype == np.int16
    assert build.count == 1
    assert cached_files(path.parent) == ["array.npy"]
    assert np.array_equal(np.load(path), VALUES)  # an ordinary .npy
    assert not caplog.records
    array = cached_array(None, (30, 20), np.float16, Build(VALUES / 3), "test")
    assert array.dtype == np.float16 and np.array_equal(array, (VALUES / 3).astype(np.float16))
    assert cached_array(None, (0, 20), np.int16, lambda: iter(()), "test").shape == (0, 20)


NO_ARRAYS = [b"no array " * 200, b"PK\x03\x04 no archive", b"\x93NUMPY\x01\x00\x06\x00{'a':\n", bytes(1328)]
LAYOUTS = [VALUES[:20], VALUES.T.copy(), VALUES.astype(np.int32), VALUES.astype(">i2"), VALUES[None]]


@pytest.mark.parametrize("content", [*(slice(keep) for keep in (0, 5, 127, 128, -1)), *NO_ARRAYS, *LAYOUTS])
def test_a_truncated_or_foreign_file_is_rebuilt_with_a_warning(path, caplog, content):
    ask(path, Build())
    if isinstance(content, np.ndarray):
        np.save(path, content)
    else:
        path.write_bytes(path.read_bytes()[content] if isinstance(content, slice) else content)
    assert np.array_equal(ask(path, Build()), VALUES)
    assert caplog.messages == [f"{path} is truncated or has a different layout; rebuilding"]
    assert cached_files(path.parent) == ["array.npy"]


def test_an_error_while_building_is_raised_and_leaves_no_file(path):
    def build():
        yield VALUES[:10]
        raise ValueError("a recording cannot be used")

    with pytest.raises(ValueError, match="a recording cannot be used"):
        cached_array(path, VALUES.shape, np.int16, build, "test")
    assert cached_files(path.parent) == []
    assert np.array_equal(ask(path, Build()), VALUES)


def test_a_cache_that_cannot_be_written_is_an_error_before_building(tmp_path, path, monkeypatch):
    (tmp_path / "file").write_text("mine")
    message = rf"^{tmp_path}/file: cannot write the cache \(Not a directory\); free some space, or choose another"
    with pytest.raises(CacheError, match=message):
        ask(tmp_path / "file" / "array.npy", Build())

    def full(descriptor: int, offset: int, size: int) -> None:
        assert (offset, size) == (0, 128 + VALUES.nbytes)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full, raising=False)
    build = Build()
    with pytest.raises(CacheError) as caught:
        ask(path, build)
    assert "cannot write the cache (No space left on device)" in str(caught.value)
    assert cached_files(path.parent) == []
    monkeypatch.undo()
    assert np.array_equal(ask(path, build), VALUES)


def test_keys_depend_on_the_content_but_not_on_its_order_or_unicode_form(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    recording = tmp_path / "a.wav"
    keys = []
    for content, changed in ((b"1234", 1000), (b"1234", 1001), (b"12345", 1001)):
        recording.write_bytes(content)
        os.utime(recording, (1000, changed))
        keys.append(cache_key("waveforms", 16_000, [recording]))
        assert keys[-1] == cache_key("waveforms", 16_000, [recording])
    keys.append(cache_key("waveforms", 8_000, [recording]))
    keys.append(cache_key("waveforms", 8_000, [recording, recording]))
    keys.append(cache_key("waveforms", 8_000, [recording.rename(tmp_path / "b.wav")] * 2))
    monkeypatch.setattr(cache, "FORMAT_VERSION", cache.FORMAT_VERSION + 1)
    keys.append(cache_key("waveforms", 8_000, [tmp_path / "b.wav"] * 2))
    assert len(set(keys)) == len(keys) == 7
    assert cache_key({"a": 1, "b": 2}, Path("b.wav")) == cache_key({"b": 2, "a": 1}, tmp_path / "b.wav")
    rows = [["\u00e4", "a.wav", 100], ["b", "b.wav", 200]]
    assert fingerprint(rows) == fingerprint([["b", "b.wav", 200], ["a\u0308", "a.wav", 100]])
    assert len({fingerprint(rows), fingerprint(rows[:1]), fingerprint([*rows[:1], ["b", "b.wav", 201]])}) == 3


def builder(path: Path, *options: str) -> subprocess.Popen:
    command = [sys.executable, "-m", "tests.helpers.build_array", path, *options]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("system", [[], ["--no-fallocate"]])
def test_a_file_that_is_too_large_for_the_disk(path, system):
    output, errors = builder(path, "--limit", "700", *system).communicate(timeout=60)  # half of the file
    _, message = output.splitlines()
    assert message.startswith(f"{path.parent}: cannot write the cache (File too large); ") and not errors
    assert cached_files(path.parent) == []


def test_parallel_processes_build_one_array_once(path):
    processes = [builder(path, "--pause", "0.3") for _ in range(3)]
    outputs = [process.communicate(timeout=60)[0].split()[-1] for process in processes]
    assert sorted(outputs) == ["built", "found", "found"]
    assert cached_files(path.parent) == ["array.npy"]


def test_a_waiting_process_takes_over_from_a_killed_builder(path):
    process = builder(path, "--pause", "60")
    while not path.with_suffix(".tmp").exists():
        time.sleep(0.05)
    waiting = builder(path)
    assert waiting.stdout.readline() == "started\n"
    time.sleep(0.2)
    assert waiting.poll() is None
    process.kill()
    process.communicate(timeout=60)
    assert waiting.communicate(timeout=60)[0] == "built\n"
    assert cached_files(path.parent) == ["array.npy"]
