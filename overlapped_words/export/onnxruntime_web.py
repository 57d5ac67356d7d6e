"""Download onnxruntime for browsers, the npm package onnxruntime-web, once into the cache."""

import hashlib
import tarfile
from base64 import b64encode
from io import BytesIO
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from overlapped_words.errors import CacheError
from overlapped_words.runs.files import write_bytes

VERSION = "1.30.0"
URL = f"https://registry.npmjs.org/onnxruntime-web/-/onnxruntime-web-{VERSION}.tgz"
SHA512 = "q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=="  # npm's integrity
FILES = ("ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm")  # for the CPU
TIMEOUT = 60  # seconds without data


def runtime_files(cache_dir: Path) -> dict[str, bytes]:
    """Name -> content of the FILES, from `cache_dir` if the package is there, otherwise from the npm registry (33 MB).

    Raises:
        CacheError: the package cannot be downloaded, is not the expected one, or cannot be written to `cache_dir`.
    """
    archive = cache_dir.expanduser() / URL.rpartition("/")[2]
    content = archive.read_bytes() if archive.is_file() else b""
    if digest(content) != SHA512:
        content = download(archive)
        archive.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(archive, content)
    with tarfile.open(fileobj=BytesIO(content)) as package:
        members = {name: package.extractfile(f"package/dist/{name}") for name in FILES}
        return {name: file.read() for name, file in members.items() if file}


def download(archive: Path) -> bytes:
    """The content of the package; `archive` is where to put it by hand."""
    print(f"Downloading {URL} (33 MB)", flush=True)
    by_hand = f"download {URL} on a machine with internet access and save it as {archive}"
    try:
        with urlopen(URL, timeout=TIMEOUT) as response:
            content = response.read()
    except (URLError, OSError) as error:
        raise CacheError(
            f"onnxruntime-web cannot be downloaded ({getattr(error, 'reason', error)}); {by_hand}"
        ) from error
    if digest(content) != SHA512:
        raise CacheError(f"{URL}: not the expected file, its SHA-512 differs; {by_hand}")
    return content


def digest(content: bytes) -> str:
    """SHA-512 in base 64, as npm writes it."""
    return b64encode(hashlib.sha512(content).digest()).decode()
