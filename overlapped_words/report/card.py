"""Write model_card.md: data, training, metrics and limits of an ensemble (Mitchell et al., arXiv 1810.03993)."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import yaml

from overlapped_words.ensembling.combine import Tables
from overlapped_words.ensembling.combined import CombinedMembers
from overlapped_words.messages import count, split_size
from overlapped_words.report import summary
from overlapped_words.report.template import render
from overlapped_words.runs.members import Member
from overlapped_words.runs.reading import read_config, read_epochs

RECIPE = ("data", "features", "augment", "model", "optimizer", "schedule")  # groups that determine the result
# Settings in them that do not, or that the table of members has.
OMITTED = {"source", "root", "cache", "cache_dir", "device_cache", "num_workers", "fold", "submission", "pool"}
TRAINER = ("max_epochs", "limit_train_batches", "gradient_clip_val", "precision")
FLOW = {"default_flow_style": True, "sort_keys": False, "allow_unicode": True, "width": 100}


def build(ensemble: CombinedMembers, metrics: pd.DataFrame) -> str:
    """Build the model card. Facts that the members' folders do not contain are omitted.

    Args:
        metrics: from `overlapped_words.report.summary.metrics_table`.

    Raises:
        RunError: a configuration or a table of epochs that cannot be read.
    """
    members, combined = ensemble.members, ensemble.combined
    configs = [read_config(member.path) for member in members]
    recipes = [_recipe(config) for config in configs]
    flat = pd.json_normalize(recipes).astype(str)
    data = configs[0].get("data", {})
    return render(
        "model_card.md",
        title=ensemble.title,
        cells=summary.cells(summary.final_rows(metrics)),
        scored=bool(metrics[["val_kl", "test_kl"]].notna().any(axis=None)),
        source=str(data.get("source", {}).get("_target_", "")).rpartition(".")[-1],
        data=data,
        words=list(next(iter(combined.values())).columns),
        words_per_clip=_words_per_clip(data, members[0].metrics),
        splits=_splits(members, data, combined),
        recipe=[(name, yaml.safe_dump(recipes[0][name], **FLOW).strip()) for name in recipes[0]],
        differing=[name for name in flat if flat[name].nunique() > 1],
        members=[_provenance(member) for member in members],
    )


def _words_per_clip(data: Mapping[str, Any], metrics: Mapping[str, Any]) -> str:
    """`4` or `2 to 4`; empty if the data are mixtures, which do not state it."""
    k = data.get("k", "")
    k = metrics.get("words_per_clip", "") if k is None else k  # null: the number of words decided
    min_k, max_k = k if isinstance(k, list) and len(k) == 2 else (k, k)
    return f"{min_k}" if min_k == max_k else f"{min_k} to {max_k}"


def _splits(members: Sequence[Member], data: Mapping[str, Any], combined: Tables) -> dict[str, str]:
    """The size of each split: `432 recordings by 7 speakers; 1,000 clips`. Folds have different ones; omit these."""
    lines = {}
    kinds = {"train": ("training", ""), "val": ("validation", "val_predictions"), "test": ("test", "predictions")}
    for split, (name, kind) in kinds.items():
        size, *others = (member.metrics.get("splits", {}).get(split, {}) for member in members)
        parts = [split_size(size)] if size and all(other == size for other in others) else []
        if split == "train" and isinstance(per_epoch := data.get("train_size"), int):
            parts.append(f"{count(per_epoch, 'new clip')} per epoch")
        elif kind in combined and len(combined[kind]) != size.get("recordings"):  # a recording may be a clip
            parts.append(count(len(combined[kind]), "clip"))
        if parts:
            lines[name] = "; ".join(parts)
    return lines


def _recipe(config: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The settings that determine the result, by group."""
    groups = {group: config[group] or {} for group in RECIPE if group in config}
    recipe = {name: {key: own[key] for key in own if key not in OMITTED} for name, own in groups.items()}
    if "trainer" in config:
        recipe["trainer"] = {name: config["trainer"][name] for name in TRAINER if name in config["trainer"]}
    if origin := {name: config[name] for name in ("initial_checkpoint", "teacher") if config.get(name)}:
        recipe["origin"] = origin
    return recipe


def _provenance(member: Member) -> dict[str, str]:
    """The provenance of a member, by column: seed, epochs, clips seen, commit, versions, device."""
    metrics, epochs = member.metrics, read_epochs(member.path / "metrics.csv")
    commit, versions = str(metrics.get("git_commit") or "")[:10], metrics.get("versions", {})
    return {
        "member": member.name,
        "seed": str(member.seed),
        "epochs": str(len(epochs) or ""),
        "clips seen": f"{int(epochs['train/clips'].sum()):,}" if "train/clips" in epochs else "",
        "commit": commit + (" with changes" if commit and metrics.get("git_dirty") else ""),
        "versions": ", ".join(f"{name} {versions[name]}" for name in ("python", "torch") if name in versions),
        "device": str(metrics.get("device", "")),
    }
