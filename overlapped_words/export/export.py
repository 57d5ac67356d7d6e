"""The body of export.py: one ONNX file, a web page that runs it in the browser, or one safetensors file."""

import hashlib
import shlex
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from overlapped_words.errors import SettingError
from overlapped_words.inference.checkpoints import find_checkpoints
from overlapped_words.messages import count, printable
from overlapped_words.paths import install
from overlapped_words.runs.files import check_writable
from overlapped_words.settings.scripts import Export


def export(cfg: Export) -> Path:
    """Export checkpoints in the format `cfg.format`. Return the path of the file or folder.

    Raises:
        UserError: a setting or a file that cannot be used, or probabilities that differ; nothing is written.
    """
    output = output_path(Path(cfg.path), cfg.output, cfg.format)
    exporters = {"onnx": export_onnx, "web": export_web, "safetensors": export_safetensors}
    exporters[cfg.format](cfg, output)
    return output


def export_onnx(cfg: Export, output: Path) -> dict[str, Any]:
    """Write one ONNX file, if its probabilities match PyTorch's. Return its metadata."""
    if missing := [name for name in ("onnx", "onnxscript", "onnxruntime") if find_spec(name) is None]:
        raise SettingError(f"format={cfg.format} needs {', '.join(missing)}; {install('onnx')}")

    # These import torch, which takes seconds, and the packages that were checked.
    from overlapped_words.export.onnx_export import metadata, probe_waveforms, to_onnx, write_checked
    from overlapped_words.inference.predictor import load_predictor

    checkpoints = find_checkpoints(Path(cfg.path))
    predictor = load_predictor(checkpoints)
    predictor.rule = predictor.rule.with_threshold(cfg.threshold)
    print(f"Exporting {predictor.summary}; an ensemble takes minutes", flush=True)
    waveforms = probe_waveforms()
    about = metadata(predictor, checkpoints)
    program = to_onnx(predictor, about)
    output.parent.mkdir(exist_ok=True)
    difference = write_checked(program, output, predictor, waveforms)
    words = count(len(predictor.class_names), "word")
    print(f"{printable(str(output))}: {predictor.summary}, {words}, {output.stat().st_size / 1e6:.1f} MB")
    print(f"Largest difference in probability from PyTorch on {len(waveforms)} waveforms: {difference:.1e}")
    return about


def export_web(cfg: Export, output: Path) -> None:
    """Write a folder with a page, the ONNX file, and onnxruntime for browsers."""
    from overlapped_words.export.web_page import runtime_files, write_page

    runtime = runtime_files(Path(cfg.cache_dir))  # first, because the export takes minutes
    about = export_onnx(cfg, output / "model.onnx")
    write_page(output, about, runtime)
    print(f"Web page: {shlex.join(['python', '-m', 'http.server', '--bind', '127.0.0.1', '--directory', str(output)])}")


def export_safetensors(cfg: Export, output: Path) -> None:
    """Write weights and settings to one file that contains no pickle."""
    from overlapped_words.inference.predictor import load_predictor
    from overlapped_words.inference.safetensors_file import read_trained, write_networks

    checkpoints = find_checkpoints(Path(cfg.path))
    load_predictor(checkpoints, "cpu")  # members with different words are an error here, not where the file is used
    members, stacking, rule = read_trained(checkpoints)
    write_networks(output, members, stacking, rule.with_threshold(cfg.threshold), cfg.half)
    content = output.read_bytes()
    what = f"{count(len(members), 'member')}, {count(len(members[0].class_names), 'word')}"
    print(f"{printable(str(output))}: {what}, {len(content) / 1e6:.1f} MB")
    print(f"SHA-256 {hashlib.sha256(content).hexdigest()}")


def output_path(trained: Path, output: str | None, format: str) -> Path:
    """The file or folder to write, by default in the folder `trained` or next to the checkpoint `trained`.

    Raises:
        SettingError: it cannot be written. An export takes minutes, so this is checked first.
    """
    if format == "web":
        path = Path(output or (trained / "web" if trained.is_dir() else trained.with_name(f"{trained.stem}_web")))
        if path.exists() and not path.is_dir():
            raise SettingError(f"output is {path}, a file; give the name of a folder")
    else:
        suffix = f".{format}"
        path = Path(output or (trained / f"model{suffix}" if trained.is_dir() else trained.with_suffix(suffix)))
        if path.suffix != suffix or (path.exists() and not path.is_file()):
            raise SettingError(f"output is {path}; give the name of a file that ends in {suffix}")
        if path.exists() and path.samefile(trained):
            raise SettingError(f"output is {path}, the file to export; give another output=FILE")
    check_writable(path)
    return path
