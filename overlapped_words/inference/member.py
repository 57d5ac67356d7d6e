"""Load one trained network from its checkpoint."""

import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn

from datamodules.audio_files import is_lfs_pointer
from datamodules.features import MultiResolutionMel
from lightning_modules.network import build_network
from overlapped_words.errors import RunError, UserError
from overlapped_words.inference.limits import Checkpoint, check_archive, check_member, feature_shape

SMALL = 32  # mel bands or frames; some networks need more


class TrainedNetwork(nn.Module):
    """A network with its front end and its class names.

    Its state dict has the keys of WordClassifier, which trains the same two modules. Predictor computes with them.

    Args:
        class_names: the words, in the order of the outputs.
        network: settings of `build_network`.
        features: arguments of MultiResolutionMel.
    """

    def __init__(self, class_names: Sequence[str], network: Mapping[str, Any], features: Mapping[str, Any]) -> None:
        super().__init__()
        self.class_names = list(class_names)
        self.feature_settings = dict(features)
        self.features = MultiResolutionMel(**features)
        self.network = build_network(
            network, num_classes=len(self.class_names), in_chans=len(self.features.win_lengths)
        )
        self.network.to(memory_format=torch.channels_last)


def load_member(path: Path) -> TrainedNetwork:
    """Load a network from its checkpoint, on the CPU and in evaluation mode; raises what `read_checkpoint` raises."""
    return build_member(read_checkpoint(path), path)


def build_member(checkpoint: Checkpoint, path: Path) -> TrainedNetwork:
    """Build a network on the CPU and in evaluation mode; `path` is the file for error messages.

    Raises:
        RunError: its settings and weights do not fit together.
    """
    with file_errors(path, "checkpoint of train.py"):
        member = TrainedNetwork(checkpoint.class_names, checkpoint.network, checkpoint.features)
        member.load_state_dict(checkpoint.weights)
        member.eval()
        num_channels, *size = feature_shape(checkpoint.features)
        if min(size) < SMALL:
            member.network(torch.zeros(1, num_channels, *size))  # fails if it is too small for this network
    return member


def read_checkpoint(path: Path) -> Checkpoint:
    """Read and check a checkpoint without building its network.

    Raises:
        RunError: the file is missing, not a checkpoint of train.py, has weights that are not finite, or asks for absurd
            sizes. In the last case, nothing has been allocated.
    """
    if not path.is_file():
        raise RunError(f"{path}: file not found; train the member again")
    with file_errors(path, "checkpoint of train.py"):
        with zipfile.ZipFile(path) as file:
            check_archive(file)
        content = torch.load(path, map_location="cpu", weights_only=True)
        settings = content["hyper_parameters"]
        checkpoint = Checkpoint(
            list(settings["class_names"]), settings["network"], settings["features"], weights=content["state_dict"]
        )
        check_member(checkpoint, path.stat().st_size)
    return checkpoint


@contextmanager
def file_errors(path: Path, what: str) -> Iterator[None]:
    """Turn every error into a RunError that names the file, which should be `what`."""
    try:
        yield
    except UserError as error:
        raise RunError(f"{path}: {error}; give a {what}") from error
    except Exception:  # torch.load and safetensors raise any exception on bytes that are not such a file
        fault = f"not a {what}, or a damaged one; give another"
        if is_lfs_pointer(path):
            fault = "a Git LFS pointer, not the file; fetch it: git lfs pull"
        # Without the cause: PyTorch's message recommends loading the file in a way that runs code from it.
        raise RunError(f"{path}: {fault}") from None
