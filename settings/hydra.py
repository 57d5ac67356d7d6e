"""conf/hydra: where a run's files go, its log, and what starts the members of a sweep.

Hydra's own types let an empty path, a negative count and a log format that `logging` rejects pass.
"""

import logging
from typing import Annotated, Literal

from pydantic.dataclasses import dataclass

from settings.fields import OPEN, Count, Flag, Index, Path, Text, either, real, text, whole
from settings.options import Options
from settings.plugin import Plugin


def _is_format(value: str) -> bool:
    logging.Formatter(value).format(logging.LogRecord("", 0, "", 0, "", None, None))
    return True


Level = Literal["CRITICAL", "ERROR", "WARNING", "INFO", "DEBUG", "NOTSET"]


@dataclass(config=OPEN, kw_only=True)
class Formatter:
    """How a line of the log looks."""

    format: Annotated[str, text(_is_format, "give a format of Python's logging, such as %(message)s")]
    """With %(message)s, %(asctime)s and the like."""
    datefmt: Text | None = None
    """Format of the time."""


@dataclass(config=OPEN, kw_only=True)
class Handler:
    """Where the lines go."""

    formatter: Text
    """One of `formatters`."""


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


@dataclass(config=OPEN, kw_only=True)
class Joblib(Plugin):
    """Members in parallel, on this machine."""

    n_jobs: Annotated[
        int, either(whole(1, 4096), whole(-4096, -1), remedy="give the members at once, or -1 for all cores")
    ]
    """Members at once; -1: one per core."""


@dataclass(config=OPEN, kw_only=True)
class Submitit(Plugin):
    """Members as jobs of Slurm, or as processes on this machine."""

    submitit_folder: Path
    """The jobs' logs."""
    name: Text
    """Name of the jobs."""
    timeout_min: Annotated[int, whole(1, 10_000_000)]
    """Minutes."""
    cpus_per_task: Annotated[int, whole(1, 4096)] | None
    gpus_per_node: Annotated[int, whole(0, 4096)] | None
    """1 where there are GPUs: a member sees no others."""
    tasks_per_node: Annotated[int, whole(1, 4096)]
    """As many as `trainer.devices`."""


@dataclass(config=OPEN, kw_only=True)
class Slurm(Submitit):
    max_num_timeout: Index
    """How often a job whose time is up is queued again; it resumes."""
    array_parallelism: Count
    """Members at once, at most."""


@dataclass(config=OPEN, kw_only=True)
class RayInit:
    """Arguments of ray.init."""

    address: Text | None
    """The cluster; `local` starts one that ends with the sweep."""
    include_dashboard: Flag | None


@dataclass(config=OPEN, kw_only=True)
class RayRemote:
    """Resources of a member."""

    num_cpus: Annotated[int, whole(1, 4096)] | None
    """Cores, and threads."""
    num_gpus: Annotated[float, real(0, 4096)] | None
    """GPUs; a share of one lets several members use it."""


@dataclass(config=OPEN, kw_only=True)
class RaySettings:
    init: RayInit
    remote: RayRemote


@dataclass(config=OPEN, kw_only=True)
class Ray(Plugin):
    """Members as tasks of a Ray cluster."""

    ray: RaySettings


PLUGINS = "hydra_plugins.hydra_"
Launcher = Annotated[
    Plugin,
    Options(
        "_target_",
        {
            f"{PLUGINS}joblib_launcher.joblib_launcher.JoblibLauncher": Joblib,
            f"{PLUGINS}submitit_launcher.submitit_launcher.LocalLauncher": Submitit,
            f"{PLUGINS}submitit_launcher.submitit_launcher.SlurmLauncher": Slurm,
            f"{PLUGINS}ray_launcher.ray_launcher.RayLauncher": Ray,
        },
    ),
]


@dataclass(config=OPEN, kw_only=True)
class Sweeper(Plugin):
    """Which members a sweep has."""

    max_batch_size: Count | None = None
    """Members that are started before the next ones wait for all of them."""


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
