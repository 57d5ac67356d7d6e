"""The components of a run, from the settings of its groups: check them, and build the data and the learner."""

import inspect
from pathlib import Path
from typing import Any

import torch
from torch import nn

from datamodules.clips import Splits
from datamodules.features import MultiResolutionMel
from datamodules.overlap import OverlapDataModule
from datamodules.waveforms import NUM_SAMPLES
from lightning_modules.classifier import NUM_STEPS, WordClassifier
from lightning_modules.network import MAX_K, build_network, find_network
from overlapped_words.settings.component import build, check_arguments, check_component, naming
from overlapped_words.settings.train import Train
from overlapped_words.training.device import resolve_auto
from overlapped_words.training.trained import load_initial_weights, load_teacher

# What the learner, the data module and the trainer give to a component beside its settings; the values are not checked.
GIVEN: dict[str, dict[str, Any]] = {
    "loading": {"source": None, "features": {}, "augment": None},
    "model": {"num_classes": 1, "in_chans": 1, "k": None},
}
LOADING = inspect.signature(OverlapDataModule).parameters.keys() - {"source", "features", "augment", "seed"}


def check_components(cfg: Train) -> None:
    """Check the settings of all groups against the constructors that take them, before anything is built.

    Raises:
        SettingError: with one line for each setting of a group that is wrong.
    """
    resolve_auto(cfg)
    source, loading = split_data(cfg.data)
    groups = {"trainer": cfg.trainer, "data": source, "augment": cfg.augment, "model": cfg.model}
    for group, plugins in (("callbacks", cfg.callbacks), ("logger", cfg.logger)):
        groups |= {f"{group}.{name}": plugin for name, plugin in (plugins or {}).items() if plugin}
    find_network(cfg.model.get("_target_"))
    for name, settings in groups.items():
        check_component(name, settings, GIVEN.get(name))
    check_arguments("data", OverlapDataModule, loading, GIVEN["loading"])
    check_arguments("features", MultiResolutionMel, cfg.features, {})
    # Those for one weight check what annotations do not say, such as a rate below 0.
    optimizer = build("optimizer", cfg.optimizer, params=[nn.Parameter(torch.zeros(1))], fused=False)
    build("schedule", cfg.schedule, optimizer=optimizer, **dict.fromkeys(NUM_STEPS, 100))
    with naming("features"):
        features = MultiResolutionMel(**cfg.features)
    with naming("model or features"), torch.no_grad():  # such as too few bands for the pools of the network
        network = build_network(cfg.model, num_classes=MAX_K, in_chans=len(features.win_lengths), k=[1, 1])
        network.eval()(features(torch.zeros(1, NUM_SAMPLES)))


def split_data(data: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The settings of `data`: those of its source, and those that say how the data module loads the clips."""
    loading = {name: value for name, value in data.items() if name in LOADING}
    own = {name: value for name, value in data.items() if name not in LOADING and name != "source"}
    return own | data["source"], loading


def build_data(cfg: Train) -> OverlapDataModule:
    """The data module with the source, the features and the augmentation of the settings."""
    source, loading = split_data(cfg.data)
    few = {}
    if batches := int(cfg.trainer.get("fast_dev_run") or 0):  # read no more clips than are used, and cache nothing
        few, loading = {"limit": batches * loading["batch_size"]}, loading | {"cache": "waveforms"}
    with naming("features"):
        return OverlapDataModule(
            source=build("data", source, **few),
            features=cfg.features,
            augment=build("augment", cfg.augment),
            seed=cfg.seed,
            **loading,
        )


def build_learner(cfg: Train, splits: Splits) -> WordClassifier:
    """The network with its optimizer and schedule, its step compiled and with a teacher if the settings ask for it.

    Raises:
        DataError: model.output is set, and the words of a clip have unequal shares.
    """
    network = dict(cfg.model)
    if network.get("output") == "set":
        splits.train.check_equal_shares()
        network["k"] = list(splits.train.k)
    with naming("model"):
        learner = WordClassifier(splits.class_names, network, cfg.features, cfg.optimizer, cfg.schedule)
    if cfg.initial_checkpoint:
        load_initial_weights(learner, cfg.initial_checkpoint)
    if cfg.compile:
        learner.compile_step(cfg.compile)
    if cfg.teacher:
        learner.teacher = load_teacher(Path(cfg.teacher), learner, cfg.teacher_weight)
    return learner
