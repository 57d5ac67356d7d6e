"""Write a folder for a static web server: a page that runs an exported network in the browser."""

import json
from collections.abc import Mapping
from pathlib import Path

from overlapped_words.runs.files import write_files

PAGE = Path(__file__).parent / "web"
JSON = ("words", "k", "sample_rate", "num_samples", "members")  # metadata that are not text


def write_page(folder: Path, metadata: Mapping[str, str], runtime: Mapping[str, bytes]) -> None:
    """Write the page next to `model.onnx`; older files are replaced.

    Args:
        folder: an existing folder.
        metadata: of the model, see `onnx_export.metadata`; onnxruntime-web does not read it from the file.
        runtime: name -> content of the files of onnxruntime-web.

    Raises:
        RunError: the disk is full, or the folder cannot be written.
    """
    model = {name: json.loads(value) if name in JSON else value for name, value in metadata.items()}
    contents = {path.name: path.read_bytes() for path in PAGE.iterdir()}
    contents["model.json"] = json.dumps(model, ensure_ascii=False, indent=1).encode()
    for name, content in runtime.items():  # browsers run no .mjs from a server that does not know this extension
        contents[name.replace(".mjs", ".js")] = content
    write_files({folder / name: content for name, content in contents.items()})
