"""Trained networks in one safetensors file: their weights, and their settings as JSON in its metadata.

Nothing is unpickled, so the file cannot run code. Weights are named `<member>.<name in the state dict>`.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save

from overlapped_words.ensembling.ensemble_file import StackingWeights
from overlapped_words.inference.checkpoints import find_fitted
from overlapped_words.inference.events import EventRule
from overlapped_words.inference.member import Checkpoint, check_member, check_size, file_errors, read_checkpoint
from overlapped_words.runs.files import write_bytes

SUFFIX = ".safetensors"
MAX_MEMBERS = 256


def write_networks(
    path: Path, members: Sequence[Checkpoint], stacking: StackingWeights | None, rule: EventRule, half: bool
) -> None:
    """Write trained networks, replacing an older file.

    Args:
        members: the networks, in the order of the stacking weights.
        stacking: the weights that stack them; None averages.
        rule: when a word is an event.
        half: store the weights in 16 bits, which halves the file.
    """
    settings = [member._replace(weights={})._asdict() for member in members]
    metadata = {
        "format": "overlapped-words",
        "version": version("overlapped-words"),
        "members": json.dumps(settings, ensure_ascii=False),
        "stacking": json.dumps(stacking and asdict(stacking), ensure_ascii=False),
        "events": json.dumps(asdict(rule), ensure_ascii=False),
    }
    weights = {
        f"{i}.{name}": (tensor.half() if half and tensor.is_floating_point() else tensor).contiguous()
        for i, member in enumerate(members)
        for name, tensor in member.weights.items()
    }
    write_bytes(path, save(weights, metadata))


def read_networks(path: Path) -> tuple[list[Checkpoint], StackingWeights | None, EventRule]:
    """The members, the stacking weights and the rule of a file of `write_networks`, checked; weights are float32.

    Raises:
        RunError: it is not such a file, has weights that are not finite, or asks for absurd sizes.
    """
    with file_errors(path, "safetensors file of export.py"):
        with safe_open(path, framework="pt") as file:
            metadata = {"events": "{}"} | file.metadata()  # files of earlier versions have no rule
            settings, stacking, rule = (json.loads(metadata[name]) for name in ("members", "stacking", "events"))
            check_size("the number of members", len(settings), MAX_MEMBERS)
            weights: list[dict[str, torch.Tensor]] = [{} for _ in settings]
            for name in file.keys():  # noqa: SIM118  the file is not iterable
                member, _, key = name.partition(".")
                tensor = file.get_tensor(name)
                weights[int(member)][key] = tensor.float() if tensor.is_floating_point() else tensor
        members = [Checkpoint(**{**own, "weights": tensors}) for own, tensors in zip(settings, weights, strict=True)]
        for one in members:
            check_member(one, path.stat().st_size)
        return members, StackingWeights(**stacking) if stacking else None, EventRule(**rule)


def read_trained(files: Sequence[Path]) -> tuple[list[Checkpoint], StackingWeights | None, EventRule]:
    """Read one file of `write_networks`, or the checkpoints of a run or a sweep with what ensemble.py fitted to them.

    Raises:
        RunError: as `read_networks`, `read_checkpoint` and `find_fitted`.
    """
    if files[0].suffix == SUFFIX:
        return read_networks(files[0])
    return [read_checkpoint(file) for file in files], *find_fitted(files)
