"""Saved settings: those of runs and checkpoints of earlier versions in today's form, and how two runs differ."""

from collections.abc import Mapping
from typing import Any

NETWORKS = {"mac": "lightning_modules.mac.MAC"}
OPTIMIZERS = {"Muon": "lightning_modules.muon.Muon", "AdamW": "torch.optim.AdamW", "SGD": "torch.optim.SGD"}
# Classes that have moved.
MOVED = {
    "lightning_modules.checkpoint.WholeCheckpointIO": "overlapped_words.training.checkpoint_io.AtomicCheckpointIO",
    "lightning_modules.dashboard.Dashboard": "overlapped_words.training.dashboard.Dashboard",
    "lightning_modules.history.History": "overlapped_words.training.epoch_csv.EpochCSVLogger",
    "reporting.dashboard.Dashboard": "overlapped_words.training.dashboard.Dashboard",
    "reporting.loggers.MLFlowLogger": "overlapped_words.training.loggers.MLFlowLogger",
    "reporting.loggers.WandbLogger": "overlapped_words.training.loggers.WandbLogger",
    "runs.checkpoint.AtomicCheckpointIO": "overlapped_words.training.checkpoint_io.AtomicCheckpointIO",
    "runs.history.EpochCSVLogger": "overlapped_words.training.epoch_csv.EpochCSVLogger",
}

# Settings that do not change the result, so a run may resume with different values.
IGNORED_SETTINGS = (
    "callbacks",
    "ckpt_path",
    "compile",
    "data.cache",
    "data.cache_dir",
    "data.device_cache",
    "data.num_workers",
    "data.source",  # interpolated from other settings in data
    "logger",
    "member",  # a folder may be renamed
    "name",  # so may that of a sweep
    "overwrite",
    "run_dir",  # a folder may be moved
    "threads",
    "trainer.accelerator",
    "trainer.default_root_dir",
    "trainer.enable_progress_bar",
    "trainer.log_every_n_steps",
    "trainer.max_time",
    "trainer.precision",
)

# Values of settings that the configurations of earlier versions lack.
LEGACY = {
    "data.language": "en",
    "data.timeline": 0.0,
    "model.freq_bins": 1,
    "model.output": "softmax",
    "model.time_pools": 4,
    "teacher_weight": 1.0,
}


def upgrade_network(settings: Mapping[str, Any]) -> dict[str, Any]:
    """`name: mac` -> `_target_: lightning_modules.mac.MAC`."""
    return _with_target(settings, NETWORKS)


def upgrade_config(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of train.py, with `_target_` for network, optimizer and schedule, and classes where they are now."""
    config: dict[str, Any] = _moved(dict(settings))
    if isinstance(config.get("model"), dict):
        config["model"] = upgrade_network(config["model"])
    if isinstance(config.get("optimizer"), dict):
        config["optimizer"] = _with_target(config["optimizer"], OPTIMIZERS)
    if isinstance(config.get("schedule"), dict):
        config["schedule"] = {"_target_": "lightning_modules.schedules.WarmupCosine", **config["schedule"]}
    return config


def _with_target(settings: Mapping[str, Any], targets: Mapping[str, str]) -> dict[str, Any]:
    name = settings.get("name")
    if "_target_" in settings and name not in targets:
        return dict(settings)
    target = targets.get(name, f"torch.optim.{name}") if isinstance(name, str) else None
    rest = {key: value for key, value in settings.items() if key not in ("name", "_target_")}
    return {"_target_": target, **rest}


def _moved(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _moved(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_moved(item) for item in value]
    return MOVED.get(value, value) if isinstance(value, str) else value


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    """(name, old value, new value) of every setting that differs, without IGNORED_SETTINGS.

    A missing setting counts as null, or as its value in LEGACY.
    """
    flat_old, flat_new = LEGACY | flatten(upgrade_config(old)), LEGACY | flatten(new)
    pairs = [(name, flat_old.get(name), flat_new.get(name)) for name in flat_old | flat_new]
    ignored = tuple(f"{name}." for name in IGNORED_SETTINGS)
    return [pair for pair in pairs if pair[1] != pair[2] and not f"{pair[0]}.".startswith(ignored)]


def flatten(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings -> settings by dotted name."""
    flat: dict[str, Any] = {}
    for key, value in config.items():
        name = f"{prefix}{key}"
        flat.update(flatten(value, f"{name}.") if isinstance(value, dict) and value else {name: value})
    return flat
