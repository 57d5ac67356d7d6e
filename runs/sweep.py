"""Around a sweep: check all members before the first one starts, and report at the end which failed."""

import atexit
import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from cli import exit_on_error
from errors import RunError, SettingError
from messages import count, printable
from runs.status import Status
from settings.callback import CheckSettings, Job, compose_members


def member_name(pool: str, seed: int, fold: int | None = None) -> str:
    """The name of a member's folder."""
    return f"{pool}_seed{seed}" + (f"_fold{fold}" if fold is not None else "")


# Here and not in train.py: a launcher's worker imports this module with the callback, but not the script.
OmegaConf.register_new_resolver("member_name", member_name, replace=True)


class Sweep(CheckSettings):
    """Hydra's callback in conf/hydra/overlap.yaml."""

    def on_multirun_start(self, config: DictConfig, config_name: str, **kwargs: Any) -> None:  # type: ignore[override]
        with exit_on_error():
            members = compose_members(config, config_name)
            self.check(members)
            for member in members:
                _check_devices(member.cfg)
            _check_folders(members)
        if not members or config.trainer.fast_dev_run:
            return
        _announce({member.folder: member.cfg for member in members})
        # Not on_multirun_end, which Hydra leaves out where a member has failed.
        atexit.register(_tell_the_end, [member.folder for member in members])


def _check_folders(members: Sequence[Job]) -> None:
    """Check that every member has a folder of its own.

    Raises:
        SettingError: two members would fill one folder. The message names the setting that tells them apart.
    """
    first: dict[Path, Job] = {}
    pairs = [(first.setdefault(member.folder, member), member) for member in members]
    pairs = [(one, two) for one, two in pairs if one is not two]
    if not pairs:
        return
    one, two = pairs[0]
    keys = [key for key in one.overrides if any(one.overrides[key] != two.overrides[key] for one, two in pairs)]
    if not keys:
        raise SettingError(f"{two.folder} would be filled twice: a value of the sweep is given twice; remove one")
    values = (" ".join(member.overrides[key] for key in keys) for member in (one, two))
    raise SettingError(f"{two.folder} would be filled twice, by {' and by '.join(values)}; {_remedy(members, keys)}")


def _remedy(members: Sequence[Job], keys: Sequence[str]) -> str:
    """Return how to give each member a folder of its own: a `name` made of the settings `keys`, if that does it."""
    names = {member.name for member in members}
    groups = [key for key in members[0].overrides if key in members[0].cfg.hydra.runtime.choices]
    swept = [key for key in groups if len({member.overrides[key] for member in members}) > 1]
    if len(names) > 1:  # given by the experiment or the data
        keys = [*(key for key in swept if key not in keys), *keys]
    values = [f"${{hydra:runtime.choices.{key}}}" if key in groups else f"${{{key}}}" for key in keys]
    name = "_".join([*names, *values] if len(names) == 1 else values)
    for member in members:
        member.cfg.name = name
    distinct = len({member.folder for member in members}) == len(members)
    # Other characters need quotes in a shell or in Hydra's command line, or make a folder of folders.
    if distinct and all(re.fullmatch(r"[\w.+-]+", member.name, flags=re.ASCII) for member in members):
        return f"add 'name={name}'"
    return "run one command for each, with a name=... of its own"


def _check_devices(cfg: DictConfig) -> None:
    """Several devices a member start processes that repeat the command line: of a sweep, the whole sweep.

    Raises:
        SettingError: naming the strategies that can do it.
    """
    one = cfg.trainer.devices in (1, "1") or (OmegaConf.is_list(cfg.trainer.devices) and len(cfg.trainer.devices) == 1)
    forks = str(cfg.trainer.strategy).endswith(("fork", "spawn", "notebook"))
    if not one and not forks and "slurm" not in cfg.hydra.launcher._target_.lower():
        raise SettingError(
            f"trainer.devices={cfg.trainer.devices} with trainer.strategy={cfg.trainer.strategy} would "
            "repeat the sweep in every process; use trainer.strategy=ddp_spawn (ddp_fork on CPUs), train members one "
            "by one, or give each one device and train several at once (hydra/launcher=joblib)"
        )


def _announce(members: dict[Path, DictConfig]) -> None:
    """Mark members that have not started as waiting for this sweep, so that `ensemble.py status=true` shows them."""
    from runs.folder import RunFolder, this_process

    for path, cfg in members.items():
        run = RunFolder(path)
        # A damaged metrics.json is no reason not to train the others: the member itself reports it.
        with suppress(RunError):
            if run.metrics.get("status", Status.WAITING) == Status.WAITING:
                path.mkdir(parents=True, exist_ok=True)
                fold = OmegaConf.select(cfg, "data.fold")
                who = {"pool": cfg.model.pool, "seed": cfg.seed, "fold": fold}
                run.write_metrics(status=Status.WAITING, **who, **this_process())


def _tell_the_end(folders: list[Path]) -> None:
    """Print which members are not complete, why, and how to resume."""
    from runs.members import UNREADABLE, error_of, read_member

    open_ones = [member for member in map(read_member, folders) if member.status != Status.COMPLETE]
    print(f"\n{len(folders) - len(open_ones)} of {count(len(folders), 'member')} complete", flush=True)
    for member in open_ones:
        reason = {
            UNREADABLE: member.fault,
            Status.FAILED: error_of(member.metrics),
            Status.STOPPED: "by trainer.max_time; give a longer one to resume it",
        }.get(member.status)
        print(printable(", ".join(filter(None, [f"  {member.path}: {member.status}", reason]))))
    if open_ones:
        failed = any(member.status in (Status.FAILED, UNREADABLE) for member in open_ones)
        repeat = "Correct the errors and repeat the command" if failed else "Repeat the command"
        print(f"{repeat}: it skips complete members and resumes the others.")
    else:
        for sweep in dict.fromkeys(folder.parent for folder in folders):
            print(f"python ensemble.py run_dir={sweep}")
