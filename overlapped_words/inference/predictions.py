"""The body of predict.py: print the likely words of one recording, or write a table of many."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from overlapped_words.inference.checkpoints import find_checkpoints
from overlapped_words.inference.files import Inputs, check_writable, find_inputs, plot_paths
from overlapped_words.messages import clock, count, printable
from overlapped_words.settings.predict import Predict

if TYPE_CHECKING:
    import pandas as pd

    from overlapped_words.inference.model import Model


def predict(cfg: Predict) -> None:
    """Print the likely words of one recording, or write a table of probabilities, or one shard of it.

    Raises:
        UserError: a setting, a path, a checkpoint or a recording that cannot be used; nothing is written.
    """
    inputs = find_inputs(Path(cfg.input))
    table = "events.csv" if cfg.events else "predictions.csv" if cfg.hop is None else "timeline.csv"
    output = Path(cfg.output or table)
    plots = plot_paths(output, inputs) if cfg.plot else []
    words_only = inputs.alone and cfg.output is None and cfg.loudest
    if cfg.shards == 1 and not words_only:
        check_writable(output, plots, cfg.overwrite)
    checkpoints = find_checkpoints(Path(cfg.path))

    # These import torch, which takes seconds: the paths are checked first.
    import torch

    from overlapped_words.allocator import keep_freed_memory
    from overlapped_words.inference.model import Model
    from overlapped_words.inference.predictor import load_predictor
    from overlapped_words.threads import ThreadTuner, max_threads

    keep_freed_memory()
    if cfg.shards > 1:
        from overlapped_words.inference.shards import predict_shard

        predict_shard(cfg, inputs, checkpoints, output)
        return
    if words_only:
        torch.set_num_threads(1)  # milliseconds of work: on a busy machine, threads wait longer for each other
    model = Model(load_predictor(checkpoints, cfg.device))
    if words_only:
        print_words(inputs.paths[0], model, cfg.top)
    else:
        model.predictor.tuner = ThreadTuner(max_threads(), trial=3)
        write_table(cfg, inputs, model, output, plots)


def print_words(path: Path, model: "Model", top: int) -> None:
    """Print the `top` words of one recording: with the most likely set and their presence, or with their shares."""
    prediction, _, _ = model.predict(path, None)
    print(f"{printable(str(path))}, {model.predictor.summary}")
    if prediction.sets:
        print(f"  most likely: {prediction.answer(model.class_names)}")
    probs = prediction.shown[0]
    likely = {printable(model.class_names[i]): probs[i] for i in (-probs).argsort(kind="stable")[:top]}
    width = max(map(len, likely))
    for word, prob in likely.items():
        print(f"  {word:<{width}}  {prob:6.1%}  {'#' * round(40 * prob)}")


def write_table(cfg: Predict, inputs: Inputs, model: "Model", output: Path, plots: Sequence[Path]) -> None:
    """Write the table of all recordings and the plot of each timeline; print the events of one recording."""
    from datamodules.recordings import check_all_read
    from overlapped_words.inference.tables import predict_table, write_predictions
    from overlapped_words.runs.files import write_bytes

    errors: dict[Path, str] = {}
    table, timelines = predict_table(cfg, model, inputs, errors)
    if len(errors) == len(inputs.paths):
        check_all_read(errors, len(inputs.paths))
    if plots:
        from overlapped_words.plots import as_png, draw_timeline  # Matplotlib takes half a second to import

        for i, timeline in timelines.items():
            plots[i].parent.mkdir(exist_ok=True)
            write_bytes(plots[i], as_png(draw_timeline(timeline.windows, timeline.rows if cfg.events else None)))
    write_predictions(output, table, errors)
    recordings = count(sum(path not in errors for path in inputs.paths), "recording")
    rows = f" in {count(len(table), 'window')}" if cfg.hop is not None else ""
    if cfg.events:
        rows = f", {count(len(table), 'event')}"
        print_events(table if inputs.alone else table[:0])
    print(f"{recordings}{rows}, {model.predictor.summary}: {printable(str(output))}")
    if plots:
        written = [printable(str(plots[i])) for i in timelines]
        print(f"{count(len(written), 'plot')}: {written[0]}" + (f" to {written[-1]}" if len(written) > 1 else ""))


def print_events(events: "pd.DataFrame") -> None:
    """Print events as `0:07.2  stop  93 %`."""
    words, times = list(map(printable, events["word"])), list(map(clock, events["start_s"]))
    for time, word, prob in zip(times, words, events["probability"], strict=True):
        print(f"{time:>{max(map(len, times))}}  {word:<{max(map(len, words))}}  {100 * prob:3.0f} %")
