"""Predict many recordings into one table, a DataFrame with the recordings' ids as its index."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from datamodules.decoding import read_header
from datamodules.progress import Progress
from datamodules.recordings import check_all_read, log
from overlapped_words.errors import DataError
from overlapped_words.inference.files import Inputs
from overlapped_words.inference.model import Model
from overlapped_words.messages import count, grouped, printable
from overlapped_words.runs.files import write_text
from overlapped_words.runs.tables import format_table
from overlapped_words.settings.predict import Predict

Timelines = dict[int, pd.DataFrame]  # by the position of the recording in the inputs


def predict_table(
    cfg: Predict, model: Model, inputs: Inputs, errors: dict[Path, str]
) -> tuple[pd.DataFrame, Timelines]:
    """Predict the loudest second of each recording, or with `cfg.hop` all of it, in windows.

    `errors` collects the reasons why recordings cannot be read; these get no row.

    Returns:
        One row per recording with the probabilities of the words; if their number varies, those of each number of
        words, num_words_0, num_words_1, ...; and if the model predicts sets, `words`, the most likely set, joined with
        `;`. With `cfg.hop`, one row per window with `start_s`, `end_s` and the probabilities, and the timelines.

    Raises:
        DataError: recordings cannot be read and `cfg.skip_unreadable` is false; names up to five of them.
    """
    timelines: Timelines = {}
    if cfg.hop is None:
        table = predict_clips(model, inputs, cfg.batch_size, errors)
    else:
        timelines = predict_timelines(model, inputs, cfg.hop, errors)
        ids = [inputs.ids[i] for i, timeline in timelines.items() for _ in range(len(timeline))]
        columns = ["start_s", "end_s", *model.class_names]
        rows = [np.empty((0, len(columns))), *(timeline.reset_index().to_numpy() for timeline in timelines.values())]
        table = pd.DataFrame(np.concatenate(rows), pd.Index(ids, name="id", dtype=object), columns)
    if not cfg.skip_unreadable:
        check_all_read(errors, len(inputs.paths))
    return table, timelines


def predict_clips(model: Model, inputs: Inputs, batch_size: int, errors: dict[Path, str]) -> pd.DataFrame:
    """The table of the loudest second of each recording."""
    with Progress(len(inputs.paths), "predicting", "recording") as progress:

        def chunks() -> Iterator[np.ndarray]:
            for chunk in model.read_clips(inputs.paths, batch_size, errors):
                yield chunk
                progress.update(len(chunk))

        prediction = model.predictor.predict_chunks(chunks(), batch_size)
    index = pd.Index(inputs.ids, name="id", dtype=object)
    columns = [pd.DataFrame(prediction.probs, index, model.class_names), pd.DataFrame(prediction.num_words, index)]
    if prediction.sets:
        columns.append(pd.DataFrame({"words": map(";".join, prediction.likely_words(model.class_names))}, index))
    return pd.concat(columns, axis=1)[[path not in errors for path in inputs.paths]]


def predict_timelines(model: Model, inputs: Inputs, hop: float, errors: dict[Path, str]) -> Timelines:
    """The timeline of each recording, see `Model.timeline`; `hop` is in seconds."""
    timelines = {}
    seconds = [round(header.seconds) if (header := read_header(path)) else 0 for path in inputs.paths]
    with grouped(log), Progress(sum(seconds), "predicting", "second") as progress:
        for i, path in enumerate(inputs.paths):
            parts, before = [], progress.done
            try:
                for part in model.stream(path, hop=hop):
                    parts.append(part)
                    progress.update(before + int(part.index[-1][1]) - progress.done)
                timelines[i] = pd.concat(parts)
            except DataError as error:
                errors[path] = str(error)
            progress.update(before + seconds[i] - progress.done)  # a header may be wrong, a recording unreadable
    return timelines


def write_predictions(path: Path, table: pd.DataFrame, errors: Mapping[Path, str], header: bool = True) -> None:
    """Write a table as CSV, and log the recordings that were skipped, with the reason."""
    write_text(path, format_table(table, header, digits=9))  # of float32
    if errors:
        log.warning("%s skipped:", count(len(errors), "recording"))
        for message in sorted(errors.values()):
            log.warning("  %s", printable(message))
