"""conf/hydra: where a run's files go, its log, and the members of a sweep.

Hydra's own types let an empty path, a negative count and a log format that `logging` rejects pass.
"""

import logging
import re
from typing import Annotated, Literal

from pydantic import Field, model_validator
from pydantic.dataclasses import dataclass
from typing_extensions import Self

from overlapped_words.settings.check import show
from overlapped_words.settings.fields import OPEN, Count, Flag, Path, Target, Text, text
from overlapped_words.settings.launcher import Launcher
from overlapped_words.settings.plugin import Plugin


def _is_format(value: str) -> bool:
    logging.Formatter(value).format(logging.LogRecord("", 0, "", 0, "", None, None))
    return True


Level = Literal["CRITICAL", "ERROR", "WARNING", "INFO", "DEBUG", "NOTSET"]


@dataclass(config=OPEN, kw_only=True)
class Formatter:
    """Format of a line of the log."""

    format: Annotated[str, text(_is_format, "give a format of Python's logging, such as %(message)s")]
    """A format of Python's logging, with %(message)s, %(asctime)s, ..."""
    datefmt: Text | None = None
    """Format of the time."""


@dataclass(config=OPEN, kw_only=True)
class Handler:
    """Where the lines go."""

    class_: Annotated[Target, Field(alias="class")]
    """A handler of Python's logging."""
    formatter: Text
    """One of `formatters`."""
    stream: Annotated[str, text(re.compile("ext://.+").match, "give ext://sys.stdout or the like")] | None = None
    """Where a StreamHandler writes."""
    filename: Path | None = None
    """Where a FileHandler writes."""


@dataclass(config=OPEN, kw_only=True)
class Root:
    """What is logged."""

    level: Level
    """Least severity."""
    handlers: list[Text] | None = None
    """Some of `handlers`."""


@dataclass(config=OPEN, kw_only=True)
class JobLogging:
    """The log, as logging.config.dictConfig describes it."""

    version: Literal[1]
    root: Root | None
    formatters: dict[str, Formatter] | None = None
    handlers: dict[str, Handler] | None = None
    disable_existing_loggers: Flag = False

    @model_validator(mode="after")
    def check_names(self) -> Self:
        handlers, formatters = self.handlers or {}, self.formatters or {}
        for i, name in enumerate((self.root and self.root.handlers) or []):
            if name not in handlers:
                raise ValueError(f"handlers has no {show(name)}, which root.handlers.{i} names")
        for name, handler in handlers.items():
            if handler.formatter not in formatters:
                raise ValueError(f"formatters has no {show(handler.formatter)}, which handlers.{name}.formatter names")
        return self


@dataclass(config=OPEN, kw_only=True)
class Sweeper(Plugin):
    """Which members a sweep has."""

    max_batch_size: Count | None = None
    """Number of members started as one batch; the next batch waits until all have ended."""


@dataclass(config=OPEN, kw_only=True)
class RunDir:
    dir: Path
    """Folder of a single run."""


@dataclass(config=OPEN, kw_only=True)
class SweepDir:
    dir: Path
    """Folder of a sweep."""
    subdir: Path
    """Folder of a member inside of it."""


@dataclass(config=OPEN, kw_only=True)
class Job:
    name: Text
    """Name of the log file."""
    chdir: Flag | None
    """Run in the run's folder."""
    env_set: dict[str, Text]
    """Environment variables of the run."""
    env_copy: list[Text]
    """Environment variables that a launcher passes on."""


@dataclass(config=OPEN, kw_only=True)
class Hydra:
    """The settings below `hydra.`."""

    run: RunDir
    sweep: SweepDir
    job: Job
    output_subdir: Text | None
    """Folder where Hydra keeps the configuration; null: train.py does it."""
    job_logging: JobLogging
    launcher: Launcher
    sweeper: Sweeper
    callbacks: dict[str, Plugin] | None
