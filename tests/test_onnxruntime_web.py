"""onnxruntime-web in the cache: downloaded once, checked, and an error that says what to do without a network."""

import io
import tarfile
from unittest.mock import Mock
from urllib.error import URLError

import pytest

from overlapped_words.errors import CacheError
from overlapped_words.export import web_page
from overlapped_words.export.web_page import FILES, URL, digest, runtime_files

NAME = URL.rpartition("/")[2]
CONTENTS = {name: f"content of {name}".encode() for name in FILES}


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch) -> bytes:
    """A small package that has the expected hash."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in CONTENTS.items():
            member = tarfile.TarInfo(f"package/dist/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    monkeypatch.setattr(web_page, "SHA512", digest(buffer.getvalue()))
    return buffer.getvalue()


def test_the_package_is_downloaded_once_and_again_if_it_is_damaged(tmp_path, package, monkeypatch) -> None:
    archive, server = tmp_path / "cache" / NAME, Mock(side_effect=lambda *_, **__: io.BytesIO(package))
    monkeypatch.setattr(web_page, "urlopen", server)
    for _ in range(2):
        assert runtime_files(tmp_path / "cache") == CONTENTS and server.call_count == 1
    archive.write_bytes(package[:-1])
    assert runtime_files(tmp_path / "cache") == CONTENTS and archive.read_bytes() == package


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (URLError("Name or service not known"), r"cannot be downloaded \(Name or service not known\); download https:"),
        (TimeoutError("timed out"), r"cannot be downloaded \(timed out\); download https:"),
        ([io.BytesIO(b"<html>log in</html>")], r"not the expected file, its SHA-512 differs; download https:"),
    ],
)
def test_a_failed_download_says_what_to_do(tmp_path, package, monkeypatch, answer, message) -> None:
    monkeypatch.setattr(web_page, "urlopen", Mock(side_effect=answer))
    with pytest.raises(CacheError, match=f"{message}.* save it as {tmp_path / NAME}$"):
        runtime_files(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.network
def test_the_registry_has_the_package() -> None:
    from tests.helpers.runtime import CACHE

    assert all(len(content) > 10_000 for content in runtime_files(CACHE).values())
