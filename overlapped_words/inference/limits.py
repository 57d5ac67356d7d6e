"""What a checkpoint contains, checked before anything is allocated: it may come from a stranger.

Without limits, a file of a few bytes could make the program allocate any amount of memory. The limits are several times
what recipes use.
"""

import zipfile
from collections.abc import Mapping
from inspect import signature
from typing import Any, NamedTuple

import torch
from torch import Tensor

from datamodules.features import MultiResolutionMel
from datamodules.waveforms import NUM_SAMPLES
from lightning_modules.network import build_network
from overlapped_words.errors import RunError

MAX_SETTINGS = 4 << 20  # bytes of everything but the weights
MAX_CLASSES = 10_000
MAX_FEATURES = {"sample_rate": 768_000, "n_fft": 1 << 14, "hop_length": 1 << 14, "pad": 1 << 14, "n_mels": 1 << 11}
MAX_WINDOWS = 16
MAX_VALUES = 1 << 22  # per clip and member; a million with the default features
MAX_MEMBERS = 256
MAX_OPTION = 1 << 16  # of the network, such as its width


class Checkpoint(NamedTuple):
    """The arguments of a `member.TrainedNetwork`, and its weights."""

    class_names: list[str]
    network: dict[str, Any]
    features: dict[str, Any]
    weights: dict[str, Tensor]


def check_archive(file: zipfile.ZipFile) -> None:
    """Check that a checkpoint's archive is one that PyTorch writes and reads quickly.

    Raises:
        RunError: it is compressed, or has more settings than a million class names would need.
    """
    for entry in file.infolist():
        if entry.compress_type != zipfile.ZIP_STORED:
            raise RunError(f"its entry {entry.filename} is compressed, which PyTorch never does")
        if entry.filename.endswith("data.pkl"):
            check_size("the number of bytes in its class names and other settings", entry.file_size, MAX_SETTINGS)


def check_size(name: str, value: Any, limit: int, least: int = 1) -> None:
    """Raise a RunError if the size `value` is not a whole number from `least` to `limit`."""
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= limit:
        raise RunError(f"{name} is {value!r:.40}, not a whole number from {least} to {limit}")


def check_member(member: Checkpoint, num_bytes: int) -> None:
    """Check one member, read from a file of `num_bytes`.

    Raises:
        RunError: absurd sizes, or weights that are not those of its network or not finite numbers.
    """
    num_windows, *_ = feature_shape(member.features)
    check_size("the number of class names", len(member.class_names), MAX_CLASSES)
    for name, value in member.network.items():
        if isinstance(value, int | float) and abs(value) > MAX_OPTION:
            raise RunError(f"network.{name} is {value!r:.40}, over {MAX_OPTION}")
    check_weights(member, num_bytes, num_windows)


def feature_shape(features: Mapping[str, Any]) -> tuple[int, int, int]:
    """The shape `(C, F, T)` of a clip's features, from arguments of MultiResolutionMel.

    Raises:
        RunError: an absurd size, which is named.
    """
    bound = signature(MultiResolutionMel).bind(**features)
    bound.apply_defaults()
    arguments = bound.arguments
    for name, limit in MAX_FEATURES.items():
        check_size(f"features.{name}", arguments[name], limit, least=int(name != "pad"))
    win_lengths, n_mels, n_fft = arguments["win_lengths"], arguments["n_mels"], arguments["n_fft"]
    check_size("the number of features.win_lengths", len(win_lengths), MAX_WINDOWS)
    for win_length in win_lengths:
        check_size("a window of features.win_lengths", win_length, n_fft)
    num_frames = (NUM_SAMPLES + 2 * arguments["pad"]) // arguments["hop_length"] - 1
    # The mel filters, a spectrum, and the features or the first layers of the network.
    num_values = n_fft * n_mels + n_fft * num_frames + MAX_WINDOWS * n_mels * num_frames
    check_size("the number of values in the features of a clip", num_values, MAX_VALUES)
    return len(win_lengths), n_mels, num_frames


def check_weights(member: Checkpoint, num_bytes: int, num_windows: int) -> None:
    """Check that a member has the weights of the network that its settings describe, and that they are finite.

    Raises:
        RunError: it has others.
    """
    weights = member.weights
    if sum(tensor.numel() for tensor in weights.values()) > num_bytes:  # one value expanded to any shape
        raise RunError("it names more weights than it contains")
    for name, tensor in weights.items():
        if not tensor.isfinite().all():
            raise RunError(f"its weights are not all finite numbers ({name})")
    try:
        with torch.device("meta"):  # shapes without memory
            network = build_network(member.network, num_classes=len(member.class_names), in_chans=num_windows)
    except RuntimeError:  # a network that computes with values in its constructor
        return
    for name, expected in network.state_dict(prefix="network.").items():
        if name not in weights or weights[name].shape != expected.shape:
            raise RunError(f"its settings and weights disagree ({name})")
