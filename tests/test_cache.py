"""The cache builds an array once, completely or not at all, also with several processes and after a kill."""

import os
from pathlib import Path

import numpy as np
import pytest

from datamodules import cache
from datamodules.cache import cache_key, cached_array, fingerprint
from overlapped_words.errors import CacheError
from tests.helpers.build_array import VALUES, Build, ask
from tests.helpers.fake_recordings import cached_files


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep/er/array.npy"


def test_an_array_is_built_once(path, caplog):
    build = Build()
    for _ in range(3):
        array = ask(path, build)
        assert isinstance(array, np.memmap) and not array.flags.writeable
        assert np.array_equal(array, VALUES) and array.dtype == np.int16
    assert build.count == 1
    assert cached_files(path.parent) == ["array.npy"]
    assert np.array_equal(np.load(path), VALUES)  # an ordinary .npy
    assert not caplog.records


def test_without_a_path_an_array_is_built_in_memory(tmp_path):
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
    assert [record.message for record in caplog.records] == [
        f"{path} is truncated or has a different layout; rebuilding"
    ]
    assert cached_files(path.parent) == ["array.npy"]


def test_an_error_while_building_is_raised_and_leaves_no_file(path):
    def build():
        yield VALUES[:10]
        raise ValueError("a recording cannot be used")

    with pytest.raises(ValueError, match="a recording cannot be used"):
        cached_array(path, VALUES.shape, np.int16, build, "test")
    assert cached_files(path.parent) == []
    assert np.array_equal(ask(path, Build()), VALUES)


def test_a_file_in_place_of_the_folder(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(CacheError) as caught:
        ask(tmp_path / "file" / "array.npy", Build())
    assert str(caught.value) == (
        f"{tmp_path / 'file'}: cannot write the cache (Not a directory); "
        "change its permissions or choose another folder with data.cache_dir"
    )


def test_disk_space_is_allocated_before_building(path, monkeypatch):
    def full(descriptor: int, offset: int, size: int) -> None:
        assert (offset, size) == (0, 128 + VALUES.nbytes)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full, raising=False)
    build = Build()
    with pytest.raises(CacheError) as caught:
        ask(path, build)
    message = str(caught.value)
    assert message.startswith(f"{path}: no space left on the disk; it needs 1.2 kB and ")
    assert message.endswith("free some space and repeat the command, or choose another folder with data.cache_dir")
    assert cached_files(path.parent) == []
    monkeypatch.undo()
    assert np.array_equal(ask(path, build), VALUES)


def test_keys_depend_on_the_content(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    recording = tmp_path / "a.wav"
    keys = []
    for content, time in ((b"1234", 1000), (b"1234", 1001), (b"12345", 1001)):
        recording.write_bytes(content)
        os.utime(recording, (1000, time))
        keys.append(cache_key("waveforms", 16_000, [recording]))
        assert keys[-1] == cache_key("waveforms", 16_000, [recording])
    keys.append(cache_key("waveforms", 8_000, [recording]))
    keys.append(cache_key("waveforms", 8_000, [recording, recording]))
    keys.append(cache_key("waveforms", 8_000, [recording.rename(tmp_path / "b.wav")] * 2))
    monkeypatch.setattr(cache, "FORMAT_VERSION", cache.FORMAT_VERSION + 1)
    keys.append(cache_key("waveforms", 8_000, [tmp_path / "b.wav"] * 2))
    assert len(set(keys)) == len(keys) == 7
    assert cache_key({"a": 1, "b": 2}, Path("b.wav")) == cache_key({"b": 2, "a": 1}, tmp_path / "b.wav")


def test_a_fingerprint_depends_on_the_rows_but_not_on_their_order_or_unicode_form():
    rows = [["\u00e4", "a.wav", 100], ["b", "b.wav", 200]]
    assert fingerprint(rows) == fingerprint([["b", "b.wav", 200], ["a\u0308", "a.wav", 100]])
    assert len({fingerprint(rows), fingerprint(rows[:1]), fingerprint([*rows[:1], ["b", "b.wav", 201]])}) == 3
