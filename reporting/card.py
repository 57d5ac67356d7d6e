"""model_card.md: what an ensemble was made of, what it can do and what not (Mitchell et al., arXiv 1810.03993)."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import yaml

from ensembling.combine import Tables
from reporting import summary
from reporting.template import render
from runs.members import Member
from runs.reading import read_config, read_epochs

# Groups of settings that decide what a network computes, and what of them says where things lie or how they are loaded,
# or stands in the table of members.
RECIPE = {
    "data": {"source", "root", "cache", "cache_dir", "num_workers", "fold", "submission"},
    "features": set(),
    "augment": set(),
    "model": {"pool"},
    "optimizer": set(),
    "schedule": set(),
}
TRAINER = ("max_epochs", "limit_train_batches", "gradient_clip_val", "precision")
FLOW = {"default_flow_style": True, "sort_keys": False, "allow_unicode": True, "width": 100}


def build(title: str, members: Sequence[Member], combined: Tables, table: pd.DataFrame) -> str:
    """The card of an ensemble; `combined` and `table` as `ensembling.combine` and `reporting.summary.figures` give
    them. What the members' folders do not tell is left out.

    Raises:
        RunError: a configuration or a table of epochs that cannot be read.
    """
    configs = [read_config(member.path) for member in members]
    recipes = [_recipe(config) for config in configs]
    flat = pd.json_normalize(recipes).astype(str)
    data = configs[0].get("data", {})
    return render(
        "model_card.md",
        title=title,
        cells=summary.cells(table.iloc[-2:]),
        scored=bool(table[["val_kl", "test_kl"]].notna().to_numpy().any()),
        source=str(data.get("source", {}).get("_target_", "")).rpartition(".")[-1],
        data=data,
        words=list(next(iter(combined.values())).columns),
        sizes={kind: len(combined[kind]) for kind in ("val_predictions", "predictions") if kind in combined},
        recipe=[(name, yaml.safe_dump(recipes[0][name], **FLOW).strip()) for name in recipes[0]],
        differing=[name for name in flat if flat[name].nunique() > 1],
        members=[_provenance(member, config) for member, config in zip(members, configs, strict=True)],
    )


def _recipe(config: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The groups of settings that decide what a network computes."""
    recipe = {
        group: {name: value for name, value in (config[group] or {}).items() if name not in left_out}
        for group, left_out in RECIPE.items()
        if group in config
    }
    if "trainer" in config:
        recipe["trainer"] = {name: config["trainer"][name] for name in TRAINER if name in config["trainer"]}
    return recipe


def _provenance(member: Member, config: Mapping[str, Any]) -> dict[str, str]:
    """How a member came about, a cell each: epochs, clips seen, minutes, commit, versions, device."""
    held, epochs = member.metrics, read_epochs(member.path / "metrics.csv")
    batch_size = config.get("data", {}).get("batch_size")
    commit = str(held.get("git_commit") or "")[:10]
    versions = held.get("versions", {})
    return {
        "member": member.name,
        "seed": str(member.seed),
        "epochs": str(len(epochs) or ""),
        "clips seen": f"{int(epochs['step'].iloc[-1]) * batch_size:,}" if len(epochs) and batch_size else "",
        "commit": commit + (" with changes" if commit and held.get("git_dirty") else ""),
        "versions": ", ".join(f"{name} {versions[name]}" for name in ("python", "torch") if name in versions),
        "device": str(held.get("device", "")),
    }
