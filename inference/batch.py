"""Many recordings -> the rows of one table, one a recording or one a window."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from datamodules.progress import Progress
from datamodules.recordings import check_all_read, log, read_header
from errors import DataError
from inference.inputs import Inputs
from inference.model import Model
from messages import count, grouped, printable


class Table(NamedTuple):
    """A row's id is `ids[i]`, its other columns are `values[i]`."""

    columns: list[str]
    ids: list[str]
    values: np.ndarray


def predict_clips(model: Model, inputs: Inputs, batch_size: int, unreadable: dict[Path, str] | None) -> Table:
    """The probabilities of the words in the loudest second of each recording.

    Args:
        unreadable: collects the recordings that cannot be used and why; they get no row.

    Raises:
        DataError: without `unreadable`; after reading all of them, naming those that cannot be used.
    """
    probs = [np.empty((0, len(model.class_names)))]
    with Progress(len(inputs.paths), "predicting", "recording") as progress:
        for chunk in model.read_clips(inputs.paths, batch_size, unreadable):
            probs.append(model.predictor.predict_clips(chunk, batch_size))
            progress.update(len(chunk))
    values = np.concatenate(probs)
    rows = [i for i, path in enumerate(inputs.paths) if path not in (unreadable or {})]
    return Table(["id", *model.class_names], [inputs.ids[i] for i in rows], values[rows])


def predict_timelines(
    model: Model, inputs: Inputs, hop: float, unreadable: dict[Path, str] | None
) -> dict[int, pd.DataFrame]:
    """The timeline of each recording by its position in `inputs`; `unreadable` and Raises: as for `predict_clips`."""
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
            progress.update(before + seconds[i] - progress.done)
    if unreadable is None:
        check_all_read(errors, len(inputs.paths))
    return timelines


def join_timelines(model: Model, inputs: Inputs, timelines: Mapping[int, pd.DataFrame]) -> Table:
    """Timelines as one table, a row a window."""
    columns = ["id", "start_s", "end_s", *model.class_names]
    ids = [inputs.ids[i] for i, timeline in timelines.items() for _ in range(len(timeline))]
    rows = [timeline.reset_index() for timeline in timelines.values()]
    return Table(columns, ids, np.concatenate([np.empty((0, len(columns) - 1)), *rows]))


def log_skipped(unreadable: Mapping[Path, str] | None) -> None:
    """Name the recordings that were left out, and why."""

    if unreadable:
        log.warning("%s skipped:", count(len(unreadable), "recording"))
        for message in sorted(unreadable.values()):
            log.warning("  %s", printable(message))
