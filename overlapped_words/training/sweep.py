"""Hydra's callback of train.py: check all members before the first one starts, report at the end which failed."""

import atexit
import shlex
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
from overlapped_words.runs.members import pool_of, read_member
from overlapped_words.runs.provenance import this_process
from overlapped_words.settings.callback import CheckSettings, compose_members, hydra_config, member_folder
from overlapped_words.settings.train import Train

# Not in train.py: a launcher's worker imports this module with the callback, but not the script.
OmegaConf.register_new_resolver(
    "member_prefix", lambda mode, member: f"{member}: " if mode == RunMode.MULTIRUN else "", replace=True
)
OmegaConf.register_new_resolver("fold_suffix", lambda fold: "" if fold is None else f"_fold{fold}", replace=True)
# conf/hydra/launcher/ changes defaults of the launchers' own configurations, which Hydra 1.3 allows with a warning.
warnings.filterwarnings("ignore", message=r"\s*'hydra/launcher/\w+' is validated against ConfigStore")


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
            with read_write(config.hydra):
                config.hydra.sweep.dir = _temporary_folder()
                # Hydra composes the members from these.
                config.hydra.overrides.hydra.append(f"hydra.sweep.dir={config.hydra.sweep.dir}")
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
    """The folders of the members; a SettingError if two members would write to one folder."""
    folders = [member_folder(member) for member in members]
    for folder in folders:
        if folders.count(folder) > 1:
            raise SettingError(
                f"two members would write to {folder}; give each its own folder by the settings that differ, such as "
                f"'name={folder.parent.name}_${{optimizer.lr}}'"
            )
    return folders


def _check_devices(cfg: DictConfig) -> None:
    """Raise a SettingError if a member would start processes that repeat the command line, and so the sweep."""
    one = cfg.trainer.devices in (1, "1") or (OmegaConf.is_list(cfg.trainer.devices) and len(cfg.trainer.devices) == 1)
    forks = str(cfg.trainer.strategy).endswith(("fork", "spawn", "notebook"))
    if not one and not forks and "slurm" not in cfg.hydra.launcher._target_.lower():
        raise SettingError(
            f"trainer.devices={cfg.trainer.devices} with trainer.strategy={cfg.trainer.strategy} would repeat the "
            "sweep in every process; use trainer.strategy=ddp_spawn (ddp_fork on CPUs), or one device per member"
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
        print(printable(f"  {member.fault}"))
    if incomplete:
        print("Repeat the command, after you have fixed errors: it skips complete members and resumes the others.")
    else:
        for sweep in dict.fromkeys(folder.parent for folder in folders):
            print(f"{command('ensemble')} {shlex.quote(f'run_dir={sweep}')}")
