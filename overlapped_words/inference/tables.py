"""Predict many recordings into one table, a DataFrame with the recordings' ids as its index."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from datamodules.progress import Progress
from datamodules.recordings import check_all_read, log, read_clips
from overlapped_words.errors import DataError
from overlapped_words.inference.events import Event
from overlapped_words.inference.files import Inputs
from overlapped_words.inference.model import Model
from overlapped_words.inference.predictor import Predictor
from overlapped_words.messages import clock, count, grouped, printable
from overlapped_words.runs.files import write_bytes, write_text
from overlapped_words.settings.scripts import Predict
from overlapped_words.tables import format_table


class Timeline(NamedTuple):
    """A recording in windows; `rows` are those of its table."""

    rows: pd.DataFrame
    windows: pd.DataFrame  # see `Model.timeline`; with events, only if they are plotted


Timelines = dict[int, Timeline]  # by the position of the recording in the inputs


def write_table(cfg: Predict, inputs: Inputs, predictor: Predictor, output: Path, plots: Sequence[Path]) -> None:
    """Write the table of all recordings and the plot of each timeline; print the events of one recording."""
    errors: dict[Path, str] = {}
    table, timelines = predict_table(cfg, Model(predictor), inputs, errors)
    if len(errors) == len(set(inputs.paths)):
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
        if inputs.alone:
            print_events(table)
    print(f"{recordings}{rows}, {predictor.summary}: {printable(str(output))}")
    if plots:
        written = [printable(str(plots[i])) for i in timelines]
        print(f"{count(len(written), 'plot')}: {written[0]}" + (f" to {written[-1]}" if len(written) > 1 else ""))


def print_events(events: pd.DataFrame) -> None:
    """Print events as `0:07.2  stop  93 %`."""
    words, times = list(map(printable, events["word"])), list(map(clock, events["start_s"]))
    for time, word, prob in zip(times, words, events["probability"], strict=True):
        print(f"{time:>{max(map(len, times))}}  {word:<{max(map(len, words))}}  {100 * prob:3.0f} %")


def predict_table(
    cfg: Predict, model: Model, inputs: Inputs, errors: dict[Path, str]
) -> tuple[pd.DataFrame, Timelines]:
    """Predict the loudest second of each recording, or with `cfg.hop` or `cfg.events` all of it, in windows.

    `errors` collects the reasons why recordings cannot be read; these get no row.

    Returns:
        One row per recording with the probabilities of the words; if their number varies, those of each number of
        words, num_words_0, num_words_1, ...; and if the model predicts sets, `words`, the most likely set, joined with
        `;`. With `cfg.hop`, one row per window with `start_s`, `end_s` and the probabilities, and the timelines. With
        `cfg.events`, one row per event, see `Model.events`.

    Raises:
        DataError: recordings cannot be read and `cfg.skip_unreadable` is false; names up to five of them.
    """
    timelines: Timelines = {}
    if cfg.loudest:
        table = predict_clips(model, inputs, cfg.batch_size, errors)
    else:
        timelines = predict_timelines(cfg, model, inputs, errors)
        columns = list(Event._fields) if cfg.events else ["start_s", "end_s", *model.class_names]
        parts = [timeline.rows.set_axis([inputs.ids[i]] * len(timeline.rows)) for i, timeline in timelines.items()]
        table = pd.concat([part for part in parts if len(part)] or [pd.DataFrame(columns=columns)]).rename_axis("id")
    if not cfg.skip_unreadable:
        check_all_read(errors, len(inputs.paths))
    return table, timelines


def predict_clips(model: Model, inputs: Inputs, batch_size: int, errors: dict[Path, str]) -> pd.DataFrame:
    """The table of the loudest second of each recording."""
    with Progress(len(inputs.paths), "predicting", "recording") as progress:

        def chunks() -> Iterator[np.ndarray]:
            for chunk in read_clips(inputs.paths, batch_size, errors, warn=True):
                yield chunk
                progress.update(len(chunk))

        prediction = model.predictor.predict_chunks(chunks(), batch_size)
    index = pd.Index(inputs.ids, name="id", dtype=object)
    columns = [pd.DataFrame(prediction.probs, index, model.class_names), pd.DataFrame(prediction.num_words, index)]
    if prediction.sets:
        columns.append(pd.DataFrame({"words": map(";".join, prediction.likely_words(model.class_names))}, index))
    return pd.concat(columns, axis=1)[[path not in errors for path in inputs.paths]]


def predict_timelines(cfg: Predict, model: Model, inputs: Inputs, errors: dict[Path, str]) -> Timelines:
    """The timeline of each recording, with `cfg.hop` or `cfg.events`."""
    timelines = {}
    with grouped(log), Progress(len(inputs.paths), "predicting", "recording") as progress:
        for i, path in enumerate(inputs.paths):
            try:
                if cfg.hop is not None:
                    windows = model.timeline(path, hop=cfg.hop)
                    timelines[i] = Timeline(windows.reset_index(), windows)
                else:
                    pairs = model.stream_events(path, threshold=cfg.threshold)
                    parts = [(events, windows if cfg.plot else windows[:0]) for events, windows in pairs]
                    timelines[i] = Timeline(*map(pd.concat, zip(*parts, strict=True)))
            except DataError as error:
                errors[path] = str(error)
            progress.update()
    return timelines


def write_predictions(path: Path, table: pd.DataFrame, errors: Mapping[Path, str], header: bool = True) -> None:
    """Write a table as CSV, and log the recordings that were skipped, with the reason."""
    write_text(path, format_table(table, header, digits=9))  # of float32
    if errors:
        log.warning("%s skipped:", count(len(errors), "recording"))
        for message in sorted(errors.values()):
            log.warning("  %s", printable(message))
