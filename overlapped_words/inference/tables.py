"""Predict many recordings into one table."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from datamodules.progress import Progress
from datamodules.recordings import log
from overlapped_words.inference.inputs import Inputs
from overlapped_words.inference.model import Model
from overlapped_words.messages import count, printable


class Table(NamedTuple):
    """Rows of an id (`ids[i]`) and numbers (`values[i]`); `columns` names the id's column first."""

    columns: list[str]
    ids: list[str]
    values: np.ndarray


def predict_clips(model: Model, inputs: Inputs, batch_size: int, unreadable: dict[Path, str] | None) -> Table:
    """Predict the loudest second of each recording: one row per recording.

    If the model predicts the number of words, the last columns are its probabilities: num_words_0, num_words_1, ...

    Args:
        unreadable: collects the recordings that cannot be read, with the reason; they get no row. None: an error.

    Raises:
        DataError: recordings cannot be read; raised after all have been tried, naming up to five.
    """
    columns = model.predictor.columns
    values = [np.empty((0, len(columns)))]
    with Progress(len(inputs.paths), "predicting", "recording") as progress:
        for chunk in model.read_clips(inputs.paths, batch_size, unreadable):
            values.append(model.predictor.predict_clips(chunk, batch_size).columns)
            progress.update(len(chunk))
    rows = [i for i, path in enumerate(inputs.paths) if path not in (unreadable or {})]
    return Table(["id", *columns], [inputs.ids[i] for i in rows], np.concatenate(values)[rows])


def log_skipped(unreadable: Mapping[Path, str] | None) -> None:
    """Log the recordings that were skipped, with the reason."""
    if unreadable:
        log.warning("%s skipped:", count(len(unreadable), "recording"))
        for message in sorted(unreadable.values()):
            log.warning("  %s", printable(message))
