"""Export a trained run to one ONNX file, from waveform to probabilities, for programs without PyTorch.

python export.py run_dir=outputs/demo                        # an ensemble: outputs/demo/model.onnx
python export.py run_dir=outputs/demo/avg_seed0              # one member
python export.py ckpt_path=best.ckpt output=words.onnx       # a checkpoint is enough

examples/onnx_words.py is a program that uses the file.
"""

from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING

import hydra
from omegaconf import DictConfig

import cli
from errors import SettingError
from messages import count, printable

if TYPE_CHECKING:
    from settings.export import Export


def export(cfg: "Export") -> Path:
    """Export checkpoints to one ONNX file, if its probabilities match PyTorch's. Return its path.

    Raises:
        UserError: a setting or a file that cannot be used, or probabilities that differ; nothing is written.
    """
    check_packages()
    output = output_path(Path(cfg.path), cfg.output)

    # These import torch, which takes seconds, and the packages that were checked.
    from inference.checkpoints import find_checkpoints
    from inference.onnx_export import metadata, to_onnx, write_checked
    from inference.predictor import load_ensemble
    from inference.probes import probe_waveforms

    checkpoints = find_checkpoints(Path(cfg.path))
    predictor = load_ensemble(checkpoints)
    print(f"Exporting {predictor.summary}; an ensemble takes minutes", flush=True)
    waveforms = probe_waveforms(predictor.sample_rate, predictor.num_samples, Path(cfg.cache_dir))
    difference = write_checked(to_onnx(predictor, metadata(predictor, checkpoints)), output, predictor, waveforms)
    words = count(len(predictor.class_names), "word")
    print(f"{printable(str(output))}: {predictor.summary}, {words}, {output.stat().st_size / 1e6:.1f} MB")
    print(f"Largest difference in probability from PyTorch on {len(waveforms)} waveforms: {difference:.1e}")
    return output


def check_packages() -> None:
    """Raise a SettingError if the packages of the export are not installed."""
    missing = [name for name in ("onnx", "onnxscript", "onnxruntime") if find_spec(name) is None]
    if missing:
        raise SettingError(f"format=onnx needs {', '.join(missing)}; pip install -e '.[onnx]'")


def output_path(trained: Path, output: str | None) -> Path:
    """The file to write, by default in the folder `trained` or next to the checkpoint `trained`.

    Raises:
        SettingError: the file cannot be written. An export takes minutes, so this is checked first.
    """
    path = Path(output or (trained / "model.onnx" if trained.is_dir() else trained.with_suffix(".onnx")))
    if path.suffix != ".onnx" or path.is_dir():
        raise SettingError(f"output is {path}; give the name of a file that ends in .onnx")
    try:
        TemporaryFile(dir=path.parent).close()
    except OSError as error:
        raise SettingError(f"{path}: cannot be written ({error.strerror}); create its folder, or set output") from error
    return path


@hydra.main(version_base="1.3", config_path="conf", config_name="export")
def main(cfg: DictConfig) -> None:
    from settings import check
    from settings.export import Export

    export(check(Export, cfg))


if __name__ == "__main__":
    cli.run(main)
