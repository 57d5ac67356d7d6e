"""The page of app.py, served for tests."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from overlapped_words.app.server import start
from tests.helpers.composed import settings_of
from tests.helpers.fake_recordings import speech, talk, write
from tests.helpers.networks import write_network


def settings(*overrides: str):
    return settings_of("app", "device=cpu", *overrides)


def write_home(home: Path, **output: object) -> Path:
    """A folder with a sweep of one member, `sweep`, and recordings; `output` as for `write_network`."""
    write_network(home / "sweep", "avg", 0, **output)
    recordings = {"clip.wav": 1.0, "other.flac": 0.7, "short.wav": 1.6, "talk.flac": 2.6, "long.flac": 4.5}
    for name, seconds in recordings.items():
        write(home / name, speech(len(name), seconds))
    write(home / "talk.wav", talk())
    return home


@contextmanager
def served(home: Path, *overrides: str) -> Iterator[str]:
    """Serve the sweep in `home` -> the URL of the page."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (home / "uploads").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_ALLOWED_PATHS", str(home))  # set by a user; must not make files accessible
        page = start(settings(f"run_dir={home / 'sweep'}", f"port={port}", *overrides), str(home / "uploads"))
        yield page.local_url
        page.close()
