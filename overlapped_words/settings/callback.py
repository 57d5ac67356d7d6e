"""Hydra's callback that checks settings before Hydra makes a folder or a log file."""

import copy
import itertools
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hydra import compose
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.experimental.callback import Callback
from hydra.utils import get_class
from omegaconf import DictConfig, OmegaConf, read_write

from overlapped_words.errors import SettingError
from overlapped_words.hydra_errors import exit_on_error
from overlapped_words.settings.check import check


class CheckSettings(Callback):
    """Check the settings of a run, or of all members of a sweep; `schema` is the dataclass, package.module.Class."""

    def __init__(self, schema: str) -> None:
        self.schema = get_class(schema)

    # Hydra turns a callback's exceptions into warnings, but not SystemExit.
    def on_run_start(self, config: DictConfig, **_: Any) -> None:
        with exit_on_error():
            self.check_all([copy.deepcopy(config)])

    def on_multirun_start(self, config: DictConfig, config_name: str, **_: Any) -> None:  # type: ignore[override]
        with exit_on_error():
            self.check_all(compose_members(config, config_name))

    def check_all(self, configs: Sequence[DictConfig]) -> None:
        """Raise SettingError with one line for each setting that is wrong in any of the configurations."""
        faults: dict[str, None] = {}
        for number, config in enumerate(configs):
            with read_write(config.hydra):  # what Hydra sets when the job starts
                config.hydra.job.num, config.hydra.job.id = number, str(number)
                config.hydra.runtime.output_dir = os.getcwd()
            with hydra_config(config):
                try:
                    self.check_one(check(self.schema, without_hydra(config)))
                except SettingError as error:
                    faults |= dict.fromkeys(str(error).splitlines())
        if faults:
            raise SettingError("\n".join(faults))

    def check_one(self, settings: Any) -> None:
        """Check more of the settings of one run; a subclass may."""


def without_hydra(config: DictConfig) -> DictConfig:
    return OmegaConf.masked_copy(config, [str(name) for name in config if name != "hydra"])


def compose_members(config: DictConfig, config_name: str) -> list[DictConfig]:
    """The configurations of a sweep's members, in its order; empty for a search, which chooses them one by one.

    Raises:
        SettingError: the sweep has no members.
    """
    if "basic_sweeper" not in str(config.hydra.sweeper._target_):
        return []
    given: Any = OmegaConf.to_container(config.hydra.overrides, resolve=False)  # as typed
    params = [f"{name}={value}" for name, value in (config.hydra.sweeper.params or {}).items()]
    parser = OverridesParser.create(config_loader=GlobalHydra.instance().config_loader())
    choices = []
    for override in parser.parse_overrides(params + given["task"]):
        values = override.sweep_string_iterator() if override.is_sweep_override() else [override.input_line]
        name = f"{override.get_key_element()}=" if override.is_sweep_override() else ""
        choices.append([f"{name}{value}" for value in values])
    jobs = list(itertools.product(*choices))
    if not jobs:
        raise SettingError(f"{' '.join(given['task'])}: a sweep of no members; give each setting at least one value")
    return [compose(config_name, [*given["hydra"], *job], return_hydra_config=True) for job in jobs]


def member_folder(config: DictConfig) -> Path:
    """The folder that Hydra will make for a member of a sweep."""
    with hydra_config(config):
        return Path(config.hydra.sweep.dir, config.hydra.sweep.subdir)


@contextmanager
def hydra_config(config: DictConfig) -> Iterator[None]:
    """Resolve `${hydra:...}` with the `hydra` node of this configuration."""
    instance, before = HydraConfig.instance(), HydraConfig.instance().cfg
    instance.set_config(config)
    try:
        yield
    finally:
        instance.cfg = before
