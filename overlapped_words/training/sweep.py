"""Hydra's callback for a sweep: check all members before the first one starts, report at the end which failed."""

import atexit
import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from overlapped_words.cli import exit_on_error
from overlapped_words.errors import RunError, SettingError
from overlapped_words.messages import count, printable
from overlapped_words.runs.names import member_name
from overlapped_words.runs.status import Status
from overlapped_words.settings.callback import CheckSettings, Job, compose_members

# Not in train.py: a launcher's worker imports this module with the callback, but not the script.
OmegaConf.register_new_resolver("member_name", member_name, replace=True)


class Sweep(CheckSettings):
    """The callback in conf/hydra/overlap.yaml."""

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
        # Not on_multirun_end: Hydra does not call it if a member failed.
        atexit.register(_report_end, [member.folder for member in members])


def _check_folders(members: Sequence[Job]) -> None:
    """Check that every member has a folder of its own.

    Raises:
        SettingError: two members would write to one folder. The message names the setting in which they differ.
    """
    first: dict[Path, Job] = {}
    pairs = [(first.setdefault(member.folder, member), member) for member in members]
    pairs = [(one, two) for one, two in pairs if one is not two]
    if not pairs:
        return
    one, two = pairs[0]
    keys = [key for key in one.overrides if any(one.overrides[key] != two.overrides[key] for one, two in pairs)]
    if not keys:
        raise SettingError(f"two members would write to {two.folder}: the sweep contains a value twice; remove one")
    values = (" ".join(member.overrides[key] for key in keys) for member in (one, two))
    raise SettingError(f"two members would write to {two.folder}: {' and '.join(values)}; {_remedy(members, keys)}")


def _remedy(members: Sequence[Job], keys: Sequence[str]) -> str:
    """Return how to give each member its own folder: a `name` made of the settings `keys`, if that is enough."""
    names = {member.name for member in members}
    groups = [key for key in members[0].overrides if key in members[0].cfg.hydra.runtime.choices]
    swept = [key for key in groups if len({member.overrides[key] for member in members}) > 1]
    if len(names) > 1:  # the experiment or the data sets it
        keys = [*(key for key in swept if key not in keys), *keys]
    values = [f"${{hydra:runtime.choices.{key}}}" if key in groups else f"${{{key}}}" for key in keys]
    name = "_".join([*names, *values] if len(names) == 1 else values)
    for member in members:
        member.cfg.name = name
    distinct = len({member.folder for member in members}) == len(members)
    # Other characters need quotes in a shell or in Hydra's command line, or create subfolders.
    if distinct and all(re.fullmatch(r"[\w.+-]+", member.name, flags=re.ASCII) for member in members):
        return f"add 'name={name}'"
    return "run one command for each, each with its own name=..."


def _check_devices(cfg: DictConfig) -> None:
    """Check that no member on several devices starts processes that repeat the command line, and so the sweep.

    Raises:
        SettingError: one does; the message names strategies that do not.
    """
    one = cfg.trainer.devices in (1, "1") or (OmegaConf.is_list(cfg.trainer.devices) and len(cfg.trainer.devices) == 1)
    forks = str(cfg.trainer.strategy).endswith(("fork", "spawn", "notebook"))
    if not one and not forks and "slurm" not in cfg.hydra.launcher._target_.lower():
        raise SettingError(
            f"trainer.devices={cfg.trainer.devices} with trainer.strategy={cfg.trainer.strategy} would "
            "repeat the sweep in every process; use trainer.strategy=ddp_spawn (ddp_fork on CPUs), train one member "
            "per command, or use one device per member and train members in parallel (hydra/launcher=joblib)"
        )


def _announce(members: dict[Path, DictConfig]) -> None:
    """Mark members that have not started as waiting for this sweep, so that `ensemble.py status=true` shows them."""
    from overlapped_words.runs.folder import RunFolder
    from overlapped_words.runs.provenance import this_process

    for path, cfg in members.items():
        run = RunFolder(path)
        # A damaged metrics.json does not stop the other members: the member itself reports it.
        with suppress(RunError):
            if run.metrics.get("status", Status.WAITING) == Status.WAITING:
                path.mkdir(parents=True, exist_ok=True)
                fold = OmegaConf.select(cfg, "data.fold")
                origin = {"pool": cfg.model.pool, "seed": cfg.seed, "fold": fold}
                run.write_metrics(status=Status.WAITING, **origin, **this_process())


def _report_end(folders: list[Path]) -> None:
    """Print which members are not complete, why, and how to resume."""
    from overlapped_words.runs.members import error_of, read_member

    incomplete = [member for member in map(read_member, folders) if member.status != Status.COMPLETE]
    print(f"\n{len(folders) - len(incomplete)} of {count(len(folders), 'member')} complete", flush=True)
    for member in incomplete:
        reasons: dict[str, str] = {
            Status.UNREADABLE: member.fault,
            Status.FAILED: error_of(member.metrics),
            Status.STOPPED: "by trainer.max_time; repeat the command with a longer one",
        }
        reason = reasons.get(member.status)
        print(printable(", ".join(filter(None, [f"  {member.path}: {member.status}", reason]))))
    if incomplete:
        failed = any(member.status in (Status.FAILED, Status.UNREADABLE) for member in incomplete)
        repeat = "Fix the errors and repeat the command" if failed else "Repeat the command"
        print(f"{repeat}: it skips complete members and resumes the others.")
    else:
        for sweep in dict.fromkeys(folder.parent for folder in folders):
            print(f"python ensemble.py run_dir={sweep}")
