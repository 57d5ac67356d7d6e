"""Predict many recordings in overlapping windows."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from datamodules.progress import Progress
from datamodules.recordings import check_all_read, log, read_header
from overlapped_words.errors import DataError
from overlapped_words.inference.inputs import Inputs
from overlapped_words.inference.model import Model
from overlapped_words.inference.tables import Table
from overlapped_words.messages import grouped

if TYPE_CHECKING:
    import pandas as pd


def predict_timelines(
    model: Model, inputs: Inputs, hop: float, unreadable: dict[Path, str] | None
) -> "dict[int, pd.DataFrame]":
    """Predict the timeline of each recording, keyed by its position in `inputs`; see `Model.timeline`.

    Args:
        hop: seconds from one window to the next.
        unreadable: collects the recordings that cannot be read, with the reason; they get no timeline. None: an error.

    Raises:
        DataError: recordings cannot be read; raised after all have been tried, naming up to five.
    """
    import pandas as pd

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


def join_timelines(model: Model, inputs: Inputs, timelines: "Mapping[int, pd.DataFrame]") -> Table:
    """Join timelines into one table, one row per window."""
    columns = ["id", "start_s", "end_s", *model.class_names]
    ids = [inputs.ids[i] for i, timeline in timelines.items() for _ in range(len(timeline))]
    rows = [timeline.reset_index() for timeline in timelines.values()]
    return Table(columns, ids, np.concatenate([np.empty((0, len(columns) - 1)), *rows]))
