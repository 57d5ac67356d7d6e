"""Predict many recordings into one table, a DataFrame with the recordings' ids as its index."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from datamodules.decoding import read_header
from datamodules.progress import Progress
from datamodules.recordings import check_all_read, log
from overlapped_words.errors import DataError
from overlapped_words.inference.inputs import Inputs
from overlapped_words.inference.model import Model
from overlapped_words.messages import count, grouped, printable
from overlapped_words.runs.files import write_text
from overlapped_words.runs.tables import format_table

Timelines = Mapping[int, pd.DataFrame]  # by the position of the recording in the inputs


def predict_clips(model: Model, inputs: Inputs, batch_size: int, unreadable: dict[Path, str] | None) -> pd.DataFrame:
    """Predict the loudest second of each recording: one row per recording.

    The columns are the probabilities of the words; if their number varies, those of each number of words, num_words_0,
    num_words_1, ...; and if the model predicts sets, `words`, the most likely set, joined with `;`.

    Args:
        unreadable: collects the recordings that cannot be read, with the reason; they get no row. None: an error.

    Raises:
        DataError: recordings cannot be read; raised after all have been tried, naming up to five.
    """
    with Progress(len(inputs.paths), "predicting", "recording") as progress:

        def chunks() -> Iterator[np.ndarray]:
            for chunk in model.read_clips(inputs.paths, batch_size, unreadable):
                yield chunk
                progress.update(len(chunk))

        prediction = model.predictor.predict_chunks(chunks(), batch_size)
    rows = [i for i, path in enumerate(inputs.paths) if path not in (unreadable or {})]
    prediction, index = prediction.rows(rows), pd.Index([inputs.ids[i] for i in rows], name="id", dtype=object)
    columns = [pd.DataFrame(prediction.probs, index, model.class_names), pd.DataFrame(prediction.num_words, index)]
    if prediction.sets:
        columns.append(pd.DataFrame({"words": map(";".join, prediction.likely_words(model.class_names))}, index))
    return pd.concat(columns, axis=1)


def predict_timelines(model: Model, inputs: Inputs, hop: float, unreadable: dict[Path, str] | None) -> Timelines:
    """Predict the timeline of each recording, see `Model.timeline`.

    Args:
        hop: seconds from one window to the next.
        unreadable: collects the recordings that cannot be read, with the reason; they get no timeline. None: an error.

    Raises:
        DataError: recordings cannot be read; raised after all have been tried, naming up to five.
    """
    errors = {} if unreadable is None else unreadable
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
    if unreadable is None:
        check_all_read(errors, len(inputs.paths))
    return timelines


def join_timelines(model: Model, inputs: Inputs, timelines: Timelines) -> pd.DataFrame:
    """Join timelines into one table, one row per window; the first columns are `start_s` and `end_s`."""
    ids = [inputs.ids[i] for i, timeline in timelines.items() for _ in range(len(timeline))]
    rows = [timeline.reset_index() for timeline in timelines.values()]
    columns = ["start_s", "end_s", *model.class_names]
    values = np.concatenate([np.empty((0, len(columns))), *rows])
    return pd.DataFrame(values, pd.Index(ids, name="id", dtype=object), columns)


def write_predictions(
    path: Path, table: pd.DataFrame, unreadable: Mapping[Path, str] | None, header: bool = True
) -> None:
    """Write a table as CSV, and log the recordings that were skipped, with the reason."""
    write_text(path, format_table(table, header, digits=9))  # of float32
    if unreadable:
        log.warning("%s skipped:", count(len(unreadable), "recording"))
        for message in sorted(unreadable.values()):
            log.warning("  %s", printable(message))
