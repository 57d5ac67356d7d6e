"""Write a folder for a static web server: a page that runs an exported network in the browser.

onnxruntime for browsers is the npm package onnxruntime-web, downloaded once into the cache.
"""

import hashlib
import json
import tarfile
from base64 import b64encode
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from overlapped_words.errors import CacheError
from overlapped_words.runs.files import write_bytes, write_files

PAGE = Path(__file__).parent / "web"
VERSION = "1.30.0"
URL = f"https://registry.npmjs.org/onnxruntime-web/-/onnxruntime-web-{VERSION}.tgz"
SHA512 = "q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=="  # npm's integrity
FILES = ("ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm")  # for the CPU
TIMEOUT = 60  # seconds without data


def write_page(folder: Path, metadata: Mapping[str, Any], runtime: Mapping[str, bytes]) -> None:
    """Write the page next to `model.onnx`; older files are replaced.

    Args:
        folder: an existing folder.
        metadata: of the model, see `onnx_export.metadata`; onnxruntime-web does not read it from the file.
        runtime: name -> content of the files of onnxruntime-web.

    Raises:
        RunError: the disk is full, or the folder cannot be written.
    """
    contents = {path.name: path.read_bytes() for path in PAGE.iterdir()}
    contents["model.json"] = json.dumps(metadata, ensure_ascii=False, indent=1).encode()
    for name, content in runtime.items():  # browsers run no .mjs from a server that does not know this extension
        contents[name.replace(".mjs", ".js")] = content
    write_files({folder / name: content for name, content in contents.items()})


def runtime_files(cache_dir: Path) -> dict[str, bytes]:
    """Name -> content of the FILES, from `cache_dir` if the package is there, otherwise from the npm registry (33 MB).

    Raises:
        CacheError: the package cannot be downloaded, is not the expected one, or cannot be written to `cache_dir`.
    """
    archive = cache_dir.expanduser() / URL.rpartition("/")[2]
    content = archive.read_bytes() if archive.is_file() else b""
    if digest(content) != SHA512:
        print(f"Downloading {URL} (33 MB)", flush=True)
        by_hand = f"download {URL} on a machine with internet access and save it as {archive}"
        try:
            with urlopen(URL, timeout=TIMEOUT) as response:
                content = response.read()
        except OSError as error:
            reason = getattr(error, "reason", error)
            raise CacheError(f"onnxruntime-web cannot be downloaded ({reason}); {by_hand}") from error
        if digest(content) != SHA512:
            raise CacheError(f"{URL}: not the expected file, its SHA-512 differs; {by_hand}")
        archive.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(archive, content)
    with tarfile.open(fileobj=BytesIO(content)) as package:
        members = {name: package.extractfile(f"package/dist/{name}") for name in FILES}
        return {name: file.read() for name, file in members.items() if file}


def digest(content: bytes) -> str:
    """SHA-512 in base 64, as npm writes it."""
    return b64encode(hashlib.sha512(content).digest()).decode()
