"""Differences between the configurations of two runs."""

from collections.abc import Mapping
from typing import Any

from overlapped_words.settings.legacy import upgrade_config

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
