"""Load one trained network from its checkpoint.

The checkpoint may come from a stranger. Without limits, a file of a few bytes could make the program allocate any
amount of memory, so everything is checked before. The limits are several times what recipes use.
"""

import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from inspect import signature
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from datamodules.audio_files import is_lfs_pointer
from datamodules.features import MultiResolutionMel
from datamodules.waveforms import NUM_SAMPLES, SAMPLE_RATE
from lightning_modules.network import Network, build_network
from overlapped_words.errors import RunError, UserError

MAX_SETTINGS = 4 << 20  # bytes of everything but the weights
MAX_CLASSES = 10_000
MAX_FEATURE = 1 << 14  # of the front end: FFT size, hop length, padding, mel bands
MAX_WINDOWS = 16
MAX_VALUES = 1 << 22  # per clip and member; a million with the default features
MAX_OPTION = 1 << 16  # of the network, such as its width
SMALL = 32  # mel bands or frames; some networks need more


class Checkpoint(NamedTuple):
    """What a file says about a trained network."""

    class_names: list[str]  # the words, in the order of the outputs
    network: dict[str, Any]  # settings of `build_network`
    features: dict[str, Any]  # arguments of MultiResolutionMel
    weights: dict[str, Tensor]  # the state dict of WordClassifier


class TrainedNetwork(NamedTuple):
    """A network with its front end, in evaluation mode."""

    class_names: list[str]
    feature_settings: dict[str, Any]
    features: MultiResolutionMel
    network: Network


def build_member(checkpoint: Checkpoint, path: Path) -> TrainedNetwork:
    """Build a network on the CPU; a RunError names the file `path` if settings and weights do not fit together."""
    class_names, settings, features, weights = checkpoint
    with file_errors(path, "checkpoint of train.py"):
        num_channels, *size = feature_shape(features)
        front_end = MultiResolutionMel(**features)
        network = build_network(settings, num_classes=len(class_names), in_chans=num_channels)
        network.load_state_dict({name.removeprefix("network."): weight for name, weight in weights.items()})
        network.eval().to(memory_format=torch.channels_last)
        if min(size) < SMALL:
            network(torch.zeros(1, num_channels, *size))  # fails if it is too small for this network
    return TrainedNetwork(class_names, features, front_end, network)


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
            for entry in file.infolist():
                if entry.compress_type != zipfile.ZIP_STORED:  # it could expand to any size
                    raise RunError(f"its entry {entry.filename} is compressed, which PyTorch never does")
                if entry.filename.endswith("data.pkl"):
                    check_size(
                        "the number of bytes in its class names and other settings", entry.file_size, MAX_SETTINGS
                    )
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


def check_size(name: str, value: Any, limit: int, least: int = 1) -> None:
    """Raise a RunError if the size `value` is not a whole number from `least` to `limit`."""
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= limit:
        raise RunError(f"{name} is {value!r:.40}, not a whole number from {least} to {limit}")


def check_member(member: Checkpoint, num_bytes: int) -> None:
    """Check a member of a file of `num_bytes`; a RunError if sizes are absurd, or weights foreign or not finite."""
    num_windows, *_ = feature_shape(member.features)
    check_size("the number of class names", len(member.class_names), MAX_CLASSES)
    for name, value in member.network.items():
        if isinstance(value, int | float) and abs(value) > MAX_OPTION:
            raise RunError(f"network.{name} is {value!r:.40}, over {MAX_OPTION}")
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


def feature_shape(features: Mapping[str, Any]) -> tuple[int, int, int]:
    """The shape `(C, F, T)` of a clip's features, by arguments of MultiResolutionMel; a RunError for an absurd size."""
    bound = signature(MultiResolutionMel).bind(**features)
    bound.apply_defaults()
    given = bound.arguments
    check_size("features.sample_rate", given["sample_rate"], SAMPLE_RATE, least=SAMPLE_RATE)
    for name in ("n_fft", "hop_length", "pad", "n_mels"):
        check_size(f"features.{name}", given[name], MAX_FEATURE, least=int(name != "pad"))
    win_lengths, n_mels, n_fft = given["win_lengths"], given["n_mels"], given["n_fft"]
    check_size("the number of features.win_lengths", len(win_lengths), MAX_WINDOWS)
    for win_length in win_lengths:
        check_size("a window of features.win_lengths", win_length, n_fft)
    num_frames = (NUM_SAMPLES + 2 * given["pad"]) // given["hop_length"] - 1
    # The mel filters, a spectrum, and the features or the first layers of the network.
    num_values = n_fft * n_mels + n_fft * num_frames + MAX_WINDOWS * n_mels * num_frames
    check_size("the number of values in the features of a clip", num_values, MAX_VALUES)
    return len(win_lengths), n_mels, num_frames
