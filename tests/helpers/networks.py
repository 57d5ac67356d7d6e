"""Tiny networks and learners, a batch for them, and their checkpoints as train.py writes them."""

from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from datamodules.features import MultiResolutionMel
from lightning_modules.classifier import WordClassifier
from tests.helpers.fake_members import WORDS, write_member

FRONT_END = {"n_mels": 64, "win_lengths": [500, 1000], "hop_length": 250, "pad": 125}  # -> (B, 2, 64, 64)
SMALLER_FRONT_END = {"sample_rate": 16_000, "n_mels": 48, "hop_length": 320, "pad": 160, "win_lengths": [500, 1000]}
FEATURES = torch.randn(4, 2, 64, 64, generator=torch.Generator().manual_seed(0))  # a batch for `learner()`
TARGETS = torch.eye(3)[[0, 1, 2, 0]]
# Options of a Trainer that writes and prints nothing.
QUIET = dict.fromkeys(("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary"), False)


def learner(**changes) -> WordClassifier:
    """A learner of three words with `changes` to its arguments."""
    options = {
        "class_names": ["no", "on", "ox"],
        "network": {"_target_": "lightning_modules.mac.MAC", "width": 2},
        "features": FRONT_END,
        "optimizer": {"_target_": "torch.optim.SGD", "lr": 0.2},
        "schedule": {"_target_": "lightning_modules.schedules.WarmupCosine", "warmup": 0.0, "final": 0.025},
    }
    return WordClassifier(**{**options, **changes})


def fill(network: nn.Module) -> nn.Module:
    """Set the parameters of the golden values: parameter i, in the order of the modules, from RandomState(i)."""
    norms = {id(module.weight) for module in network.modules() if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d)}
    for i, parameter in enumerate(network.parameters()):
        value = np.random.RandomState(i).standard_normal(tuple(parameter.shape))
        if parameter.dim() > 1:
            value *= np.sqrt(2 / np.prod(parameter.shape[1:]))
        else:
            value = 0.1 * value + (1 if id(parameter) in norms else 0)
        parameter.data = torch.from_numpy(value).float()
    return network.eval()


def set_norms(network: nn.Module, features: Tensor) -> None:
    """Give the batch norms the statistics of `features`: with the initial ones, all clips get the same probs."""
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.momentum = 1.0
    with torch.no_grad():
        network(features)


def save(model: WordClassifier, path: Path) -> None:
    """Write a checkpoint with what is needed to load it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {"state_dict": model.state_dict(), "hyper_parameters": dict(model.hparams)}
    torch.save({**content, "pytorch-lightning_version": version("lightning")}, path)


def write_members(sweep: Path, **network) -> Path:
    """Two members, as by `write_network`; with output="set" and k=[0, 2], they predict up to two words."""
    for pool in ("avg", "max"):
        write_network(sweep, pool, 0, **network)
    return sweep


def write_network(sweep: Path, pool: str, seed: int, words: list[str] = WORDS, **network) -> Path:
    """`write_member` with a checkpoint of random weights, whose probs differ between clips.

    `network` changes its settings.
    """
    folder = write_member(sweep, pool, seed)
    torch.manual_seed(seed)
    model = learner(
        class_names=words, network={"name": "mac", "pool": pool, "width": 2, **network}, features=SMALLER_FRONT_END
    )
    pitches = 2 ** torch.linspace(7, 12, 16).view(-1, 1)
    waveforms = torch.sin(2 * torch.pi * pitches * torch.arange(16_000) / 16_000) + 0.1 * torch.randn(16, 16_000)
    set_norms(model.network, MultiResolutionMel(**SMALLER_FRONT_END)(waveforms))
    save(model, folder / "checkpoints" / "last.ckpt")
    return folder
