"""Which words are in a recording?

python predict.py run_dir=outputs/demo input=clip.wav                     # the ensemble's likely words
python predict.py run_dir=outputs/demo/avg_seed0 input=folder/            # one member, a table
python predict.py ckpt_path=best.ckpt input=list.txt output=probs.csv     # a checkpoint is enough
python predict.py run_dir=outputs/demo input=talk.mp3 hop=0.25 plot=true  # when is which word said?

A large folder in eight parts; with hydra/launcher=joblib, submitit_slurm or ray side by side:
python predict.py -m shards=8 'shard=range(8)' run_dir=outputs/demo input=folder/ output=probs.csv
"""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import hydra
from omegaconf import DictConfig

import cli

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from inference.model import Model


def predict(cfg: DictConfig) -> None:
    """Recordings -> a table of probabilities, or for one recording its likely words on the screen."""
    from errors import DataError, SettingError
    from inference.predictor import find_checkpoints
    from inference.shards import check_shards
    from runs.folder import write_table

    check_shards(cfg.shard, cfg.shards, cfg.output)
    if (cfg.run_dir is None) == (cfg.ckpt_path is None):
        raise DataError("give either run_dir=FOLDER (a run or a sweep) or ckpt_path=FILE")
    ids, paths = find_recordings(Path(cfg.input))
    alone = Path(cfg.input).is_file() and len(paths) == 1
    if alone and cfg.shards > 1:
        raise SettingError(f"{paths[0]}: one recording for {cfg.shards} shards; leave out shards and shard")
    output = Path(cfg.output or ("predictions.csv" if cfg.hop is None else "timeline.csv"))
    if not output.parent.is_dir():
        raise DataError(f"{output}: there is no folder {output.parent}; make it, or give another output")
    pictures = find_pictures(cfg, output, paths, alone)
    checkpoints = find_checkpoints(Path(cfg.run_dir or cfg.ckpt_path))
    if cfg.shards > 1:
        predict_shard(cfg, ids, paths, checkpoints)
        return
    model = load_model(cfg, checkpoints)
    if alone and cfg.output is None and cfg.hop is None:
        print_words(paths[0], model, cfg.top)
        return
    columns, row_ids, values = make_table(cfg, model, ids, paths, pictures)
    write_table(output, columns, row_ids, values)
    windows = f" in {len(row_ids)} windows" if cfg.hop is not None else ""
    print(f"{len(ids)} recordings{windows}, {model.predictor.summary}: {output}")


def predict_shard(cfg: DictConfig, ids: list[str], paths: list[Path], checkpoints: list[Path]) -> None:
    """One part of the table, unless it was made before; the whole table, once no part is missing."""
    from inference.shards import cut, merge, part_paths
    from inference.stack import find_stack
    from runs.folder import write_table

    batch_size = cfg.batch_size if cfg.hop is None else 1  # a timeline's batches are windows of one recording
    blocks = cut(len(ids), batch_size, cfg.shards)
    settings = [batch_size, cfg.hop, cfg.tta, find_stack(checkpoints)]
    parts = part_paths(cfg.output, blocks, settings, ids, paths, checkpoints)
    block, part = blocks[cfg.shard], parts[cfg.shard]
    part.parent.mkdir(parents=True, exist_ok=True)
    if not part.exists():
        table = make_table(cfg, load_model(cfg, checkpoints), ids[block], paths[block])
        write_table(part, *table, header=cfg.shard == 0)
    missing = merge(parts, Path(cfg.output))
    outcome = f"{missing} of {cfg.shards} parts still missing" if missing else f"all parts merged into {cfg.output}"
    print(f"shard {cfg.shard} of {cfg.shards}, {len(ids[block])} recordings: {outcome}")


def load_model(cfg: DictConfig, checkpoints: list[Path]) -> "Model":
    """The ensemble of the checkpoints."""
    from inference.model import Model
    from inference.predictor import load_ensemble
    from lightning_modules.allocator import keep_freed_memory

    keep_freed_memory()
    return Model(load_ensemble(checkpoints, cfg.device, cfg.tta))


def make_table(
    cfg: DictConfig, model: "Model", ids: list[str], paths: list[Path], pictures: Sequence[Path] = ()
) -> tuple[list[str], list[str], "np.ndarray"]:
    """Recordings -> the columns, ids and values of their table, a row a recording or, with a hop, a row a window."""
    import numpy as np

    from datamodules.recordings import read_clips
    from reporting.plots import as_png, draw_timeline
    from runs.folder import write_bytes

    if cfg.hop is None:
        clips = read_clips(paths, model.sample_rate, model.num_samples, cfg.batch_size)
        chunks = [model.predictor.predict_clips(chunk, cfg.batch_size) for chunk in clips]
        return ["id", *model.class_names], ids, np.concatenate([np.empty((0, len(model.class_names))), *chunks])
    timelines = slide(model, paths, cfg.hop)
    for path, timeline in zip(pictures, timelines, strict=bool(pictures)):
        path.parent.mkdir(exist_ok=True)
        write_bytes(path, as_png(draw_timeline(timeline)))
    columns = ["id", "start_s", "end_s", *model.class_names]
    row_ids = [name for name, timeline in zip(ids, timelines, strict=True) for _ in range(len(timeline))]
    return columns, row_ids, np.concatenate([np.empty((0, len(columns) - 1)), *(t.reset_index() for t in timelines)])


def slide(model: "Model", paths: list[Path], hop: float) -> list["pd.DataFrame"]:
    """The timeline of each recording, with a bar of the seconds heard.

    Raises:
        DataError: after listening to all of them, naming those that cannot be used.
    """
    import pandas as pd
    from tqdm import tqdm

    from datamodules.recordings import duration, refuse
    from errors import DataError

    timelines, errors = [], []
    for path in paths:
        parts = []
        with tqdm(total=round(duration(path) or 0), desc=path.name, unit="s", leave=False, disable=None) as bar:
            try:
                for part in model.stream(path, hop=hop):
                    parts.append(part)
                    bar.update(round(part.index[-1][1]) - bar.n)
                timelines.append(pd.concat(parts))
            except DataError as error:
                errors.append(str(error))
    refuse(errors, len(paths))
    return timelines


def find_pictures(cfg: DictConfig, output: Path, paths: list[Path], alone: bool) -> list[Path]:
    """Where the pictures of the timelines go: of one recording beside the table, of several into a folder there.

    Raises:
        DataError: settings of a timeline that do not go together.
    """
    from errors import DataError
    from inference.windows import check_hop

    if cfg.hop is not None:
        check_hop(cfg.hop)
    if not isinstance(cfg.plot, bool) or (cfg.plot and (cfg.hop is None or cfg.shards > 1)):
        raise DataError(f"plot={cfg.plot}; give true or false, and with true hop=0.25 or the like and no shards")
    if not cfg.plot or alone:
        return [output.with_suffix(".png")] * cfg.plot
    return [output.with_suffix("") / f"{i:04}_{path.stem}.png" for i, path in enumerate(paths)]


def find_recordings(given: Path) -> tuple[list[str], list[Path]]:
    """A recording, a folder or a list of paths (.txt) -> ids and paths; a path in a list may be relative to the list.

    Raises:
        DataError: nothing there.
    """
    from datamodules.recordings import list_recordings
    from errors import DataError

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


def print_words(path: Path, model: "Model", top: int) -> None:
    """The likely words of one recording, most probable first."""
    probs = model(path)
    print(f"{path}, {model.predictor.summary}")
    width = max(map(len, model.class_names))
    for word, prob in probs.nlargest(top).items():
        print(f"  {word:<{width}}  {prob:6.1%}  {'#' * round(40 * prob)}")


@hydra.main(version_base="1.3", config_path="conf", config_name="predict")
def main(cfg: DictConfig) -> None:
    predict(cfg)


if __name__ == "__main__":
    warnings.filterwarnings("ignore", message=r"\s*'hydra/launcher/")  # as in train.py
    cli.run(main)
