"""Which words are in a recording?

python predict.py run_dir=outputs/demo input=clip.wav                     # the ensemble's likely words
python predict.py run_dir=outputs/demo/avg_seed0 input=folder/            # one member, a table
python predict.py ckpt_path=best.ckpt input=list.txt output=probs.csv     # a checkpoint is enough
python predict.py run_dir=outputs/demo input=talk.mp3 hop=0.25 plot=true  # when is which word said?

A large folder in eight parts; in parallel with hydra/launcher=joblib, submitit_slurm or ray:
python predict.py -m shards=8 'shard=range(8)' run_dir=outputs/demo input=folder/ output=probs.csv
"""

import warnings
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import hydra
from omegaconf import DictConfig

import cli
from errors import SettingError
from inference.inputs import Inputs, find_inputs
from inference.outputs import check_writable, plot_paths
from messages import count, printable

# Only what a wrong path needs is imported here: pandas and torch take seconds.
if TYPE_CHECKING:
    from inference.batch import Table
    from inference.model import Model
    from settings.predict import Predict


def predict(cfg: "Predict") -> None:
    """Recordings -> a table of probabilities, or for one recording its likely words on the screen.

    Raises:
        UserError: a setting, a path or a recording that cannot be used; nothing is written then.
    """
    from inference.checkpoints import find_checkpoints

    inputs = find_inputs(Path(cfg.input))
    output = Path(cfg.output or ("predictions.csv" if cfg.hop is None else "timeline.csv"))
    plots = plot_paths(output, inputs) if cfg.plot else []
    words_only = inputs.alone and cfg.output is None and cfg.hop is None
    if cfg.shards == 1 and not words_only:
        check_writable(output, plots, cfg.overwrite)
    checkpoints = find_checkpoints(Path(cfg.path))
    if cfg.shards > 1:
        predict_shard(cfg, inputs, checkpoints, output)
    elif words_only:
        print_words(inputs.paths[0], load_model(cfg, checkpoints), cfg.top)
    else:
        write_outputs(cfg, inputs, load_model(cfg, checkpoints), output, plots)


def write_outputs(cfg: "Predict", inputs: Inputs, model: "Model", output: Path, plots: Sequence[Path]) -> None:
    """The table and the plots of all recordings."""
    from datamodules.recordings import check_all_read
    from inference.batch import log_skipped
    from runs.tables import write_table

    unreadable: dict[Path, str] | None = {} if cfg.skip_unreadable else None
    table = make_table(cfg, inputs, model, unreadable, plots)
    if unreadable and not table.ids:
        check_all_read(unreadable, len(inputs.paths))
    write_table(output, *table)
    log_skipped(unreadable)
    used = [i for i, path in enumerate(inputs.paths) if path not in (unreadable or {})]
    windows = f" in {count(len(table.ids), 'window')}" if cfg.hop is not None else ""
    print(f"{count(len(used), 'recording')}{windows}, {model.predictor.summary}: {printable(str(output))}")
    if plots:
        written = [printable(str(plots[i])) for i in used]
        print(f"{count(len(written), 'plot')}: {written[0]}" + (f" to {written[-1]}" if len(written) > 1 else ""))


def predict_shard(cfg: "Predict", inputs: Inputs, checkpoints: list[Path], output: Path) -> None:
    """One part of the table, unless it is there; the whole table, once no part is missing."""
    from inference.batch import log_skipped
    from inference.shards import cut, merge, part_paths
    from inference.stacking import find_stacking_weights
    from runs.tables import write_table

    if inputs.alone:
        raise SettingError(f"{inputs.paths[0]}: one recording for {cfg.shards} shards; leave out shards and shard")
    batch_size = cfg.batch_size if cfg.hop is None else 1  # a timeline's batches are windows of one recording
    blocks = cut(len(inputs.ids), batch_size, cfg.shards)
    stacking = find_stacking_weights(checkpoints)
    settings = [batch_size, cfg.hop, cfg.tta, cfg.skip_unreadable, stacking and asdict(stacking)]
    parts = part_paths(output, blocks, settings, inputs.ids, inputs.paths, checkpoints)
    block, part = blocks[cfg.shard], parts[cfg.shard]
    mine = Inputs(inputs.ids[block], inputs.paths[block])
    if not all(path.exists() for path in parts):
        check_writable(output, [], cfg.overwrite)
    part.parent.mkdir(parents=True, exist_ok=True)
    if not part.exists():
        unreadable: dict[Path, str] | None = {} if cfg.skip_unreadable else None
        table = make_table(cfg, mine, load_model(cfg, checkpoints), unreadable)
        write_table(part, *table, header=cfg.shard == 0)
        log_skipped(unreadable)
    missing = merge(parts, output, cfg.overwrite)
    merged = f"all parts merged into {printable(str(output))}"
    kept = f"{missing} of {cfg.shards} parts still missing, the others are in {printable(str(part.parent))}"
    outcome = kept if missing else merged
    print(f"shard {cfg.shard} of {cfg.shards}, {count(len(mine.ids), 'recording')}: {outcome}")


def load_model(cfg: "Predict", checkpoints: list[Path]) -> "Model":
    """The ensemble of the checkpoints."""
    from inference.model import Model
    from inference.predictor import load_ensemble
    from lightning_modules.allocator import keep_freed_memory

    keep_freed_memory()
    return Model(load_ensemble(checkpoints, cfg.device, cfg.tta))


def make_table(
    cfg: "Predict",
    inputs: Inputs,
    model: "Model",
    unreadable: dict[Path, str] | None,
    plots: Sequence[Path] = (),
) -> "Table":
    """A row a recording or, with a hop, a row a window, and then the plots too; see `inference.batch`."""
    from inference.batch import join_timelines, predict_clips, predict_timelines
    from reporting.plots import as_png, draw_timeline
    from runs.files import write_bytes

    if cfg.hop is None:
        return predict_clips(model, inputs, cfg.batch_size, unreadable)
    timelines = predict_timelines(model, inputs, cfg.hop, unreadable)
    for i, timeline in timelines.items() if plots else ():
        plots[i].parent.mkdir(exist_ok=True)
        write_bytes(plots[i], as_png(draw_timeline(timeline)))
    return join_timelines(model, inputs, timelines)


def print_words(path: Path, model: "Model", top: int) -> None:
    """The likely words of one recording, most probable first."""
    probs = model(path)
    print(f"{printable(str(path))}, {model.predictor.summary}")
    words = {printable(str(word)): prob for word, prob in probs.nlargest(top).items()}
    width = max(map(len, words))
    for word, prob in words.items():
        print(f"  {word:<{width}}  {prob:6.1%}  {'#' * round(40 * prob)}")


@hydra.main(version_base="1.3", config_path="conf", config_name="predict")
def main(cfg: DictConfig) -> None:
    from settings import check
    from settings.predict import Predict

    predict(check(Predict, cfg))


if __name__ == "__main__":
    warnings.filterwarnings("ignore", message=r"\s*'hydra/launcher/")  # as in train.py
    cli.run(main)
