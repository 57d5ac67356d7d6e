"""Hydra's callback of train.py: check all members before the first one starts, report at the end which failed."""

import atexit
import shutil
import tempfile
import warnings
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, read_write

from overlapped_words.errors import RunError, SettingError
from overlapped_words.hydra_errors import exit_on_error
from overlapped_words.messages import count, printable
from overlapped_words.paths import command
from overlapped_words.runs.folder import RunFolder, Status
from overlapped_words.runs.members import error_of, pool_of, read_member
from overlapped_words.runs.provenance import this_process
from overlapped_words.settings.callback import CheckSettings, compose_members, hydra_config, member_folder
from overlapped_words.settings.train import Train

# Not in train.py: a launcher's worker imports this module with the callback, but not the script.
OmegaConf.register_new_resolver(
    "member_prefix", lambda mode, member: f"{member}: " if mode == RunMode.MULTIRUN else "", replace=True
)
# conf/hydra/launcher/ changes defaults of the launchers' own configurations, which Hydra 1.3 allows with a warning.
warnings.filterwarnings("ignore", message=r"\s*'hydra/launcher/\w+' is validated against ConfigStore")
OmegaConf.register_new_resolver("fold_suffix", lambda fold: "" if fold is None else f"_fold{fold}", replace=True)


class Sweep(CheckSettings):
    """The callback in conf/hydra/overlap.yaml."""

    def check_one(self, settings: Train) -> None:
        from overlapped_words.training.components import check_components  # torch and Lightning take seconds

        check_components(settings)

    def on_run_start(self, config: DictConfig, **_: Any) -> None:
        super().on_run_start(config)
        if config.trainer.fast_dev_run:
            with read_write(config.hydra):
                config.hydra.run.dir = _temporary_folder()

    def on_multirun_start(self, config: DictConfig, config_name: str, **_: Any) -> None:  # type: ignore[override]
        with exit_on_error():
            members = compose_members(config, config_name)
            self.check_all(members)
            for member in members:
                _check_devices(member)
            folders = _check_folders(members)
        if config.trainer.fast_dev_run:
            with read_write(config.hydra):  # from which Hydra composes the members
                config.hydra.overrides.hydra.append(f"hydra.sweep.dir={_temporary_folder()}")
                config.hydra.sweep.dir = config.hydra.overrides.hydra[-1].partition("=")[2]
            return
        for folder, member in zip(folders, members, strict=True):
            _announce(folder, member)
        if folders:
            # Not on_multirun_end: Hydra does not call it if a member failed.
            atexit.register(_report_end, folders)


def _temporary_folder() -> str:
    """Where Hydra's log of a fast_dev_run goes, which saves nothing; deleted when the process ends."""
    folder = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _check_folders(members: Sequence[DictConfig]) -> list[Path]:
    """The folders of the members.

    Raises:
        SettingError: two members would write to one folder. The message names the settings in which they differ.
    """
    first: dict[Path, DictConfig] = {}
    for member in members:
        folder = member_folder(member)
        other = first.setdefault(folder, member)
        if other is member:
            continue
        settings = [dict(override.split("=", 1) for override in one.hydra.overrides.task) for one in (other, member)]
        names = [name for name in settings[1] if settings[0].get(name) != settings[1][name]]
        if not names:
            raise SettingError(f"two members would write to {folder}: the sweep contains a value twice; remove one")
        values = " and ".join(" ".join(f"{name}={own[name]}" for name in names) for own in settings)
        choices = member.hydra.runtime.choices
        parts = [f"${{hydra:runtime.choices.{name}}}" if name in choices else f"${{{name}}}" for name in names]
        remedy = f"give each its own folder, such as 'name={'_'.join([folder.parent.name, *parts])}'"
        raise SettingError(f"two members would write to {folder}: {values}; {remedy}")
    return list(first)


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
            "per command, or use one device per member, so that members train in parallel"
        )


def _announce(folder: Path, cfg: DictConfig) -> None:
    """Mark a member that has not started as waiting for this sweep, so that `ensemble.py status=true` shows it."""
    run = RunFolder(folder)
    # A damaged metrics.json does not stop the other members: the member itself reports it.
    with suppress(RunError):
        if run.metrics.get("status", Status.WAITING) == Status.WAITING:
            folder.mkdir(parents=True, exist_ok=True)
            with hydra_config(cfg):
                pool = pool_of(cfg.model, cfg.member)
            origin = {"pool": pool, "seed": cfg.seed, "fold": OmegaConf.select(cfg, "data.fold")}
            run.write_metrics(status=Status.WAITING, **origin, **this_process())


def _report_end(folders: list[Path]) -> None:
    """Print which members are not complete, why, and how to resume."""
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
            print(f"{command('ensemble')} run_dir={sweep}")
