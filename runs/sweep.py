"""Around a sweep: all members are looked at before the first one starts, and at the end what failed is told."""

import atexit
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hydra import compose
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from errors import SettingError
from runs.status import Status


def member_name(pool: str, seed: int, fold: int | None = None) -> str:
    """The name of a member's folder."""
    return f"{pool}_seed{seed}" + (f"_fold{fold}" if fold is not None else "")


# Here and not in train.py: a launcher's worker imports this module with the callback, but not the script.
OmegaConf.register_new_resolver("member_name", member_name, replace=True)


class Sweep(Callback):
    """Hydra's callback in conf/hydra/overlap.yaml."""

    def on_multirun_start(self, config: DictConfig, config_name: str, **kwargs: Any) -> None:  # type: ignore[override]
        if "basic_sweeper" not in config.hydra.sweeper._target_:
            return  # a search decides as it goes which members there are
        try:
            members = dict(_members(config, config_name))
        except (HydraException, OmegaConfBaseException):
            return  # Hydra composes every member itself before the first one, and says what is wrong
        except SettingError as error:
            sys.exit(str(error))  # Hydra turns a callback's exceptions into warnings
        if config.trainer.fast_dev_run:
            return
        _announce(members)
        # Not on_multirun_end, which Hydra leaves out where a member has failed.
        atexit.register(_tell_the_end, list(members))


def _members(config: DictConfig, config_name: str) -> Iterator[tuple[Path, DictConfig]]:
    """Folder and configuration of every member, in the order of the sweep.

    Raises:
        SettingError: two members would fill one folder, or one cannot be trained as a part of a sweep.
    """
    hydra_config, before = HydraConfig.instance(), HydraConfig.instance().cfg
    given: Any = OmegaConf.to_container(config.hydra.overrides, resolve=False)  # as it was typed
    params = [f"{name}={value}" for name, value in (config.hydra.sweeper.params or {}).items()]
    parser = OverridesParser.create(config_loader=GlobalHydra.instance().config_loader())
    jobs = BasicSweeper.split_arguments(parser.parse_overrides(params + given["task"]), None)[0]
    common = set(jobs[0]).intersection(*jobs)
    taken: dict[Path, str] = {}
    try:
        for job in jobs:
            cfg = compose(config_name, [*given["hydra"], *job], return_hydra_config=True)
            hydra_config.set_config(cfg)  # the folder's name is made of it
            folder = Path(cfg.hydra.sweep.dir) / cfg.hydra.sweep.subdir
            changed = " ".join(override for override in job if override not in common)
            if folder in taken:
                raise SettingError(
                    f"{folder} would be filled twice, with {taken[folder]} and with {changed}; sweep over one of them "
                    "at a time with a name=... each, or tell the folders apart with hydra.sweep.subdir=..."
                )
            taken[folder] = changed
            _check_devices(cfg, changed)
            yield folder, cfg
    finally:
        hydra_config.cfg = before


def _check_devices(cfg: DictConfig, changed: str) -> None:
    """Several devices a member start processes that repeat the command line: of a sweep, the whole sweep.

    Raises:
        SettingError: naming the strategies that can do it.
    """
    one = cfg.trainer.devices in (1, "1") or (OmegaConf.is_list(cfg.trainer.devices) and len(cfg.trainer.devices) == 1)
    forks = str(cfg.trainer.strategy).endswith(("fork", "spawn", "notebook"))
    if not one and not forks and "slurm" not in cfg.hydra.launcher._target_.lower():
        raise SettingError(
            f"trainer.devices={cfg.trainer.devices} with trainer.strategy={cfg.trainer.strategy} ({changed}) would "
            "repeat the sweep in every process; use trainer.strategy=ddp_spawn (ddp_fork on CPUs), train members one "
            "by one, or give each one device and train several at once (hydra/launcher=joblib)"
        )


def _announce(members: dict[Path, DictConfig]) -> None:
    """Members that were never begun are marked as waiting, so that a look at the sweep shows them."""
    from runs.folder import RunFolder

    for path, cfg in members.items():
        if not RunFolder(path).metrics:
            path.mkdir(parents=True, exist_ok=True)
            fold = OmegaConf.select(cfg, "data.fold")
            RunFolder(path).write_metrics(status=Status.WAITING, pool=cfg.model.pool, seed=cfg.seed, fold=fold)


def _tell_the_end(folders: list[Path]) -> None:
    """Which members are not complete, why, and how to go on."""
    from runs.folder import RunFolder

    metrics = {folder: RunFolder(folder).metrics for folder in folders}
    open_ones = {folder: held for folder, held in metrics.items() if held.get("status") != Status.COMPLETE}
    print(f"\n{len(folders) - len(open_ones)} of {len(folders)} members are complete", flush=True)
    for folder, held in open_ones.items():
        reason = str(held.get("error") or "").strip().splitlines()
        print(f"  {folder}: {held.get('status', 'not begun')}" + (f", {reason[0]}" if reason else ""))
    if open_ones:
        print("Mend what failed and repeat the command: it skips what is complete and goes on with the rest.")
    else:
        for sweep in dict.fromkeys(folder.parent for folder in folders):
            print(f"python ensemble.py run_dir={sweep}")
