"""Export a trained run to one ONNX file, from waveform to probabilities, for programs without PyTorch.

python export.py run_dir=outputs/demo                        # the ensemble of its members: outputs/demo/model.onnx
python export.py run_dir=outputs/demo/avg_seed0              # one member
python export.py ckpt_path=best.ckpt output=words.onnx       # a checkpoint is enough

examples/onnx_words.py shows how the file is used.
"""

import json
from importlib.metadata import version
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
    from inference.predictor import Predictor
    from settings.export import Export


def export(cfg: "Export") -> Path:
    """Checkpoints -> one ONNX file, compared with PyTorch; returns its path.

    Raises:
        UserError: naming the setting or the file that cannot be used, or the difference; nothing is written then.
        OSError: no room, or no permission.
    """
    check_packages()
    from inference.checkpoints import find_checkpoints

    given = Path(cfg.path)
    checkpoints = find_checkpoints(given)
    output = output_path(given, cfg.output)
    # torch takes seconds to import: after all that may be wrong.
    from inference.onnx_export import to_onnx, write_checked
    from inference.predictor import load_ensemble
    from inference.probes import probe_waveforms

    predictor = load_ensemble(checkpoints)
    print(f"Exporting {predictor.summary}; many take minutes", flush=True)
    sounds = probe_waveforms(predictor.sample_rate, predictor.num_samples, Path(cfg.cache_dir))
    difference = write_checked(to_onnx(predictor, metadata(predictor, checkpoints)), output, predictor, sounds)
    words = count(len(predictor.class_names), "word")
    print(f"{printable(str(output))}: {predictor.summary}, {words}, {output.stat().st_size / 1e6:.1f} MB")
    print(f"Largest difference in probability to PyTorch on {len(sounds)} sounds: {difference:.1e}")
    return output


def check_packages() -> None:
    """Whether the packages are installed; raises SettingError."""
    missing = [name for name in ("onnx", "onnxscript", "onnxruntime") if find_spec(name) is None]
    if missing:
        raise SettingError(f"format=onnx needs {', '.join(missing)}; pip install -e '.[onnx]'")


def output_path(given: Path, output: str | None) -> Path:
    """The file to write; raises SettingError if it cannot be written, before the minutes that an export takes."""
    path = Path(output or (given / "model.onnx" if given.is_dir() else given.with_suffix(".onnx")))
    if path.suffix != ".onnx" or path.is_dir():
        raise SettingError(f"output is {path}; give the name of a file that ends in .onnx")
    try:
        TemporaryFile(dir=path.parent).close()
    except OSError as error:
        raise SettingError(f"{path}: cannot be written ({error.strerror}); make its folder, or set output") from error
    return path


def metadata(predictor: "Predictor", checkpoints: list[Path]) -> dict[str, str]:
    """What a program that uses the file needs to know: words, sample rate, clip length, origin."""
    from runs.reading import read_config

    config = read_config(checkpoints[0].parents[1])  # empty: a checkpoint alone
    return {
        "words": json.dumps(predictor.class_names, ensure_ascii=False),
        "sample_rate": str(predictor.sample_rate),
        "num_samples": str(predictor.num_samples),
        "members": str(len(checkpoints)),
        "recipe": config.get("name", "unknown"),
        "version": f"overlapped-words {version('overlapped-words')}",
    }


@hydra.main(version_base="1.3", config_path="conf", config_name="export")
def main(cfg: DictConfig) -> None:
    from settings import check
    from settings.export import Export

    export(check(Export, cfg))


if __name__ == "__main__":
    cli.run(main)
