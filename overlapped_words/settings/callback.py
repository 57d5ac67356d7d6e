"""Check the settings of a run, or of every member of a sweep, before Hydra makes a folder or a log file."""

import copy
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from hydra import compose
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper  # no public function splits a sweep into its jobs
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.experimental.callback import Callback
from hydra.utils import get_class
from omegaconf import DictConfig, OmegaConf, read_write
from omegaconf.errors import OmegaConfBaseException

from overlapped_words.cli import exit_on_error
from overlapped_words.errors import SettingError
from overlapped_words.settings.check import check, resolve, validate
from overlapped_words.settings.hydra import Hydra


@dataclass(frozen=True)
class Job:
    """A run that has not started."""

    cfg: DictConfig  # with Hydra's own settings
    places: tuple[str, ...]  # the settings that its folder is made of
    overrides: dict[str, str]  # setting or group -> override, e.g. "optimizer.lr" -> "optimizer.lr=0.1"

    @property
    def name(self) -> str:
        with hydra_config(self.cfg):
            return str(self.cfg.name)

    @property
    def folder(self) -> Path:
        with hydra_config(self.cfg):
            return Path(*(str(OmegaConf.select(self.cfg.hydra, place)) for place in self.places))


class CheckSettings(Callback):
    """Hydra's callback of every script; `schema` is the dataclass of its settings, settings.module.Class."""

    def __init__(self, schema: str) -> None:
        self.schema = get_class(schema)

    # Hydra turns a callback's exceptions into warnings.
    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        with exit_on_error():
            cfg = copy.deepcopy(config)
            cfg.hydra.job.num, cfg.hydra.job.id = 0, "0"
            self.check([Job(cfg, ("run.dir",), {})])

    def on_multirun_start(self, config: DictConfig, config_name: str, **kwargs: Any) -> None:  # type: ignore[override]
        with exit_on_error():
            self.check(compose_members(config, config_name))

    def check(self, jobs: list[Job]) -> None:
        """Check the settings of these runs and those of Hydra.

        Raises:
            SettingError: with one line for each setting that is wrong.
        """
        faults: dict[str, None] = {}
        for job in jobs:
            try:
                output_dir = os.path.abspath(job.folder)
            except OmegaConfBaseException:  # a setting it is made of, which is reported by its own name below
                output_dir = os.getcwd()
            hydra = job.cfg.hydra
            with read_write(hydra):
                hydra.runtime.output_dir = output_dir
                # Interpolations of the command line are resolved where they are used, not in Hydra's notes of it.
                hydra.overrides.task = []
                hydra.job.override_dirname = str(hydra.job._get_node("override_dirname")).replace("${", r"\${")
            task = OmegaConf.masked_copy(job.cfg, [str(name) for name in job.cfg if name != "hydra"])
            with hydra_config(job.cfg):
                for checked in (partial(check, self.schema, task), partial(check_hydra, hydra)):
                    try:
                        checked()
                    except SettingError as error:
                        faults |= dict.fromkeys(str(error).splitlines())
        if faults:
            raise SettingError("\n".join(faults))


def check_hydra(hydra: DictConfig) -> None:
    """Check Hydra's own settings; SettingError if one is wrong. Those that it fills in itself have no value yet."""
    validate(Hydra, resolve(hydra), "hydra.")


def compose_members(config: DictConfig, config_name: str) -> list[Job]:
    """The members of a sweep, in its order; none of a search, which decides as it goes which there are.

    Raises:
        SettingError: the sweep has no members.
    """
    if "basic_sweeper" not in str(config.hydra.sweeper._target_):
        return []
    given: Any = OmegaConf.to_container(config.hydra.overrides, resolve=False)  # as typed
    params = [f"{name}={value}" for name, value in (config.hydra.sweeper.params or {}).items()]
    parser = OverridesParser.create(config_loader=GlobalHydra.instance().config_loader())
    jobs = BasicSweeper.split_arguments(parser.parse_overrides(params + given["task"]), None)[0]
    if not jobs:
        raise SettingError(f"{' '.join(given['task'])}: a sweep of no members; give each setting at least one value")
    members = []
    for number, job in enumerate(jobs):
        cfg = compose(config_name, [*given["hydra"], *job], return_hydra_config=True)
        cfg.hydra.job.num, cfg.hydra.job.id = number, str(number)
        overrides = {override.partition("=")[0].lstrip("+"): override for override in job}
        members.append(Job(cfg, ("sweep.dir", "sweep.subdir"), overrides))
    return members


@contextmanager
def hydra_config(config: DictConfig) -> Iterator[None]:
    """Resolve `${hydra:...}` with the `hydra` node of this configuration."""
    instance, before = HydraConfig.instance(), HydraConfig.instance().cfg
    instance.set_config(config)
    try:
        yield
    finally:
        instance.cfg = before
