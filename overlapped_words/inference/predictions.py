"""Show predictions: the likely words of one recording, or a table of many with plots."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from datamodules.recordings import check_all_read
from overlapped_words.allocator import keep_freed_memory
from overlapped_words.inference.checkpoints import find_checkpoints
from overlapped_words.inference.inputs import Inputs
from overlapped_words.inference.model import Model
from overlapped_words.inference.predictor import load_ensemble
from overlapped_words.inference.shards import predict_shard
from overlapped_words.inference.tables import log_skipped, predict_clips
from overlapped_words.inference.timelines import join_timelines, predict_timelines
from overlapped_words.messages import count, printable
from overlapped_words.runs.files import write_bytes
from overlapped_words.runs.tables import write_table

if TYPE_CHECKING:
    from overlapped_words.settings.predict import Predict


def run(cfg: "Predict", inputs: Inputs, output: Path | None, plots: Sequence[Path]) -> None:
    """Write the table `output` of the recordings, or one shard of it. Without `output`, print one recording's words.

    Raises:
        UserError: a checkpoint or a recording cannot be used; nothing is written.
    """
    checkpoints = find_checkpoints(Path(cfg.path))
    keep_freed_memory()
    if output is None:
        torch.set_num_threads(1)  # milliseconds of work: on a busy machine, threads wait longer for each other
        print_words(inputs.paths[0], Model(load_ensemble(checkpoints, cfg.device, cfg.tta)), cfg.top)
    elif cfg.shards > 1:
        predict_shard(cfg, inputs, checkpoints, output)
    else:
        model = Model(load_ensemble(checkpoints, cfg.device, cfg.tta))
        write_predictions(cfg, inputs, model, output, plots)


def print_words(path: Path, model: Model, top: int) -> None:
    """Print the most likely set of words of one recording, if the model predicts sets, and its `top` words."""
    prediction = model.predictor.predict_clips(model.read_clip(path))
    print(f"{printable(str(path))}, {model.predictor.summary}")
    probs, sets = prediction.probs[0], prediction.sets
    order = (-probs).argsort(kind="stable")
    if sets:
        words = ", ".join(printable(model.class_names[i]) for i in order if sets.words[0, i])
        print(f"  most likely: {words or 'none of the words'} ({sets.probs[0]:.1%})")
        if not words:
            print("  if there are any, their shares:")
    shares = {printable(model.class_names[i]): probs[i] for i in order[:top]}
    width = max(map(len, shares))
    for word, share in shares.items():
        print(f"  {word:<{width}}  {share:6.1%}  {'#' * round(40 * share)}")


def write_predictions(cfg: "Predict", inputs: Inputs, model: Model, output: Path, plots: Sequence[Path]) -> None:
    """Write the table of all recordings and, with a hop, the plot of each timeline.

    Raises:
        DataError: recordings cannot be read; nothing is written.
    """
    unreadable: dict[Path, str] | None = {} if cfg.skip_unreadable else None
    timelines = {}
    if cfg.hop is None:
        table = predict_clips(model, inputs, cfg.batch_size, unreadable)
    else:
        timelines = predict_timelines(model, inputs, cfg.hop, unreadable)
        table = join_timelines(model, inputs, timelines)
    if unreadable and not table.ids:
        check_all_read(unreadable, len(inputs.paths))
    if plots:
        from overlapped_words.plots import as_png, draw_timeline  # Matplotlib takes half a second to import

        for i, timeline in timelines.items():
            plots[i].parent.mkdir(exist_ok=True)
            write_bytes(plots[i], as_png(draw_timeline(timeline)))
    write_table(output, *table)
    log_skipped(unreadable)
    used = [i for i, path in enumerate(inputs.paths) if path not in (unreadable or {})]
    windows = f" in {count(len(table.ids), 'window')}" if cfg.hop is not None else ""
    print(f"{count(len(used), 'recording')}{windows}, {model.predictor.summary}: {printable(str(output))}")
    if plots:
        written = [printable(str(plots[i])) for i in used]
        print(f"{count(len(written), 'plot')}: {written[0]}" + (f" to {written[-1]}" if len(written) > 1 else ""))
