"""conf/hydra/launcher: what starts the members of a sweep."""

import shutil
from typing import Annotated

from pydantic import model_validator
from pydantic.dataclasses import dataclass
from typing_extensions import Self

from overlapped_words.settings.fields import OPEN, Count, Flag, Index, Path, Text, either, real, whole
from overlapped_words.settings.options import Options
from overlapped_words.settings.plugin import Plugin


@dataclass(config=OPEN, kw_only=True)
class Joblib(Plugin):
    """Members in parallel, on this machine."""

    n_jobs: Annotated[
        int,
        either(whole(1, 4096), whole(-4096, -1), remedy="give the number of members in parallel, or -1 for all cores"),
    ]
    """Number of members in parallel; -1: one per core."""


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
    """1 on machines with GPUs; a member sees no others."""
    tasks_per_node: Annotated[int, whole(1, 4096)]
    """As many as `trainer.devices`."""


@dataclass(config=OPEN, kw_only=True)
class Slurm(Submitit):
    max_num_timeout: Index
    """How often a job that reaches its time limit is queued again; it resumes."""
    array_parallelism: Count
    """Largest number of members in parallel."""

    @model_validator(mode="after")
    def check_cluster(self) -> Self:
        if not shutil.which("srun"):
            raise ValueError("there is no srun here; use a login node of a Slurm cluster, or submitit_local")
        return self


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
    """GPUs; a fraction lets several members share one."""


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
