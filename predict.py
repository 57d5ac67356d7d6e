"""Which words are in a recording?

python predict.py run_dir=outputs/demo input=clip.wav                     # the ensemble's likely words
python predict.py run_dir=outputs/demo/avg_seed0 input=folder/            # one member, a table
python predict.py ckpt_path=best.ckpt input=list.txt output=probs.csv     # a checkpoint is enough

A large folder in eight parts; with hydra/launcher=joblib, submitit_slurm or ray side by side:
python predict.py -m shards=8 'shard=range(8)' run_dir=outputs/demo input=folder/ output=probs.csv
"""

import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import hydra
from hydra.errors import CompactHydraException
from omegaconf import DictConfig

if TYPE_CHECKING:
    import numpy as np

    from lightning_modules.predictor import Predictor

PATHS = ("run_dir", "ckpt_path", "input", "output")


def predict(cfg: DictConfig) -> None:
    """Recordings -> a table of probabilities, or for one recording its likely words on the screen."""
    from datamodules.recordings import DataError
    from lightning_modules.predictor import find_checkpoints
    from lightning_modules.run_folder import write_table
    from lightning_modules.shards import ShardError, check_shards

    check_shards(cfg.shard, cfg.shards, cfg.output)
    if (cfg.run_dir is None) == (cfg.ckpt_path is None):
        raise DataError("give either run_dir=FOLDER (a run or a sweep) or ckpt_path=FILE")
    ids, paths = find_recordings(Path(cfg.input))
    alone = Path(cfg.input).is_file() and len(paths) == 1
    if alone and cfg.shards > 1:
        raise ShardError(f"{paths[0]}: one recording for {cfg.shards} shards; leave out shards and shard")
    checkpoints = find_checkpoints(Path(cfg.run_dir or cfg.ckpt_path))
    if cfg.shards > 1:
        predict_shard(cfg, ids, paths, checkpoints)
        return
    predictor, probs = probabilities(cfg, paths, checkpoints)
    if alone and cfg.output is None:
        print_words(paths[0], probs[0], predictor, cfg.top)
        return
    output = Path(cfg.output or "predictions.csv")
    write_table(output, ["id", *predictor.class_names], ids, probs)
    print(f"{len(ids)} recordings, {predictor.summary}: {output}")


def predict_shard(cfg: DictConfig, ids: list[str], paths: list[Path], checkpoints: list[Path]) -> None:
    """One part of the table, unless it was made before; the whole table, once no part is missing."""
    from lightning_modules.run_folder import write_table
    from lightning_modules.shards import cut, merge, part_paths
    from lightning_modules.stack import find_stack

    blocks = cut(len(ids), cfg.batch_size, cfg.shards)
    settings = [cfg.batch_size, cfg.tta, find_stack(checkpoints)]
    parts = part_paths(cfg.output, blocks, settings, ids, paths, checkpoints)
    block, part = blocks[cfg.shard], parts[cfg.shard]
    part.parent.mkdir(parents=True, exist_ok=True)
    if not part.exists():
        predictor, probs = probabilities(cfg, paths[block], checkpoints)
        write_table(part, ["id", *predictor.class_names], ids[block], probs, header=cfg.shard == 0)
    missing = merge(parts, Path(cfg.output))
    outcome = f"{missing} of {cfg.shards} parts still missing" if missing else f"all parts merged into {cfg.output}"
    print(f"shard {cfg.shard} of {cfg.shards}, {len(ids[block])} recordings: {outcome}")


def probabilities(cfg: DictConfig, paths: list[Path], checkpoints: list[Path]) -> tuple["Predictor", "np.ndarray"]:
    """Recordings and checkpoints -> the ensemble and its probabilities `(N, num_classes)`, also of no recording."""
    import numpy as np

    from datamodules.recordings import read_clips
    from lightning_modules.allocator import keep_freed_memory
    from lightning_modules.predictor import load_ensemble

    keep_freed_memory()
    predictor = load_ensemble(checkpoints, cfg.device, cfg.tta)
    clips = read_clips(paths, predictor.sample_rate, predictor.num_samples, cfg.batch_size)
    chunks = [np.empty((0, len(predictor.class_names)), np.float32)]
    chunks += [predictor.probs(chunk, cfg.batch_size) for chunk in clips]
    return predictor, np.concatenate(chunks)


def find_recordings(given: Path) -> tuple[list[str], list[Path]]:
    """A recording, a folder or a list of paths (.txt) -> ids and paths; a path in a list may be relative to the list.

    Raises:
        DataError: nothing there.
    """
    from datamodules.recordings import DataError, list_recordings

    if not given.exists():
        raise DataError(f"{given}: no such file or folder; input is a recording, a folder of them or a list (.txt)")
    if given.is_dir():
        paths = list_recordings(given)
        if not paths:
            raise DataError(f"{given}: holds no recording; give the folder that the recordings are in")
        return [path.stem for path in paths], paths
    if given.suffix.lower() != ".txt":
        return [given.stem], [given]
    lines = [line.strip() for line in given.read_text(encoding="utf-8-sig").splitlines()]
    ids = [line for line in lines if line]
    if not ids:
        raise DataError(f"{given}: an empty list; write one path a line")
    return ids, [Path(name) if Path(name).exists() else given.parent / name for name in ids]


def print_words(path: Path, probs: "np.ndarray", predictor: "Predictor", top: int) -> None:
    """The likely words of one recording, most probable first."""
    print(f"{path}, {predictor.summary}")
    width = max(map(len, predictor.class_names))
    for i in (-probs).argsort()[:top]:
        print(f"  {predictor.class_names[i]:<{width}}  {probs[i]:6.1%}  {'#' * round(40 * float(probs[i]))}")


def quote_paths(arguments: Sequence[str]) -> list[str]:
    """Paths as the shell gave them, quoted for Hydra, whose grammar stops at '=', ',' and letters outside of ASCII."""
    quoted = []
    for argument in arguments:
        name, equals, value = argument.partition("=")
        if name in PATHS and equals and value and value[0] not in "'\"" and value != "null":
            escaped = value.replace("\\", "\\\\").replace("'", "\\'")
            argument = f"{name}='{escaped}'"
        quoted.append(argument)
    return quoted


@hydra.main(version_base="1.3", config_path="conf", config_name="predict")
def main(cfg: DictConfig) -> None:
    try:
        predict(cfg)
    except (ValueError, OSError) as error:  # what this program refuses; the stack is a HYDRA_FULL_ERROR=1 away
        raise CompactHydraException(str(error)) from error


if __name__ == "__main__":
    warnings.filterwarnings("ignore", message=r"\s*'hydra/launcher/")  # as in train.py
    sys.argv[1:] = quote_paths(sys.argv[1:])
    main()
