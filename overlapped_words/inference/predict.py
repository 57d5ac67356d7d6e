"""The body of predict.py: check its paths, then print the likely words of one recording, or write a table of many."""

from pathlib import Path
from typing import TYPE_CHECKING

from datamodules.recordings import read_clips
from overlapped_words.errors import SettingError
from overlapped_words.inference.checkpoints import find_checkpoints
from overlapped_words.inference.files import check_output, find_inputs, plot_paths
from overlapped_words.messages import printable
from overlapped_words.settings.scripts import Predict

if TYPE_CHECKING:
    from overlapped_words.inference.predictor import Predictor


def predict(cfg: Predict) -> None:
    """Print the likely words of one recording, or write a table of probabilities, or one shard of it.

    Raises:
        UserError: a setting, a path, a checkpoint or a recording that cannot be used; nothing is written.
    """
    inputs = find_inputs(Path(cfg.input))
    table = "events.csv" if cfg.events else "predictions.csv" if cfg.hop is None else "timeline.csv"
    output = Path(cfg.output or table)
    plots = plot_paths(output, inputs) if cfg.plot else []
    if output.exists() and output.samefile(cfg.input):
        raise SettingError(f"output is {output}, the input; give another output=FILE")
    words_only = inputs.alone and cfg.output is None and cfg.loudest
    if cfg.shards == 1 and not words_only:
        check_output(output, plots, cfg.overwrite)
    checkpoints = find_checkpoints(Path(cfg.path))

    # These import torch, which takes seconds: the paths are checked first.
    import torch

    from overlapped_words.allocator import keep_freed_memory
    from overlapped_words.inference.predictor import load_predictor
    from overlapped_words.threads import ThreadTuner, max_threads

    keep_freed_memory()
    if words_only:
        torch.set_num_threads(1)  # milliseconds of work: on a busy machine, threads wait longer for each other
        print_words(inputs.paths[0], load_predictor(checkpoints, cfg.device), cfg.top)
        return
    from overlapped_words.inference.shards import predict_shard  # pandas takes a quarter of a second to import
    from overlapped_words.inference.tables import write_table

    if cfg.shards > 1:
        predict_shard(cfg, inputs, checkpoints, output)
    else:
        predictor = load_predictor(checkpoints, cfg.device)
        predictor.tuner = ThreadTuner(max_threads(), trial=3)
        write_table(cfg, inputs, predictor, output, plots)


def print_words(path: Path, predictor: "Predictor", top: int) -> None:
    """Print the `top` words of one recording: with the most likely set and their presence, or with their shares."""
    prediction = predictor.predict_chunks(read_clips([path], warn=True))
    print(f"{printable(str(path))}, {predictor.summary}")
    if prediction.sets:
        print(f"  most likely: {prediction.answer(predictor.class_names)}")
    probs = prediction.shown[0]
    likely = {printable(predictor.class_names[i]): probs[i] for i in (-probs).argsort(kind="stable")[:top]}
    width = max(map(len, likely))
    for word, prob in likely.items():
        print(f"  {word:<{width}}  {prob:6.1%}  {'#' * round(40 * prob)}")
