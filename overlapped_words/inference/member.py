"""Load one trained network from its checkpoint."""

import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from datamodules.audio_files import is_lfs_pointer
from datamodules.features import MultiResolutionMel
from lightning_modules.network import build_network
from overlapped_words.errors import RunError

# The largest sizes that a checkpoint may ask for, far above what is useful. Without limits, a file of a few bytes could
# make the program allocate any amount of memory.
MAX_SETTINGS = 4 << 20  # bytes of everything but the weights
MAX_CLASSES = 10_000
MAX_FEATURES = {"sample_rate": 768_000, "n_fft": 1 << 16, "hop_length": 1 << 16, "pad": 1 << 16, "n_mels": 2_048}
MAX_WINDOWS = 16
MAX_SPECTRUM = 1 << 24  # values per second, for one window length
MAX_OPTION = 1 << 16  # of the network, such as its width


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


class Checkpoint(NamedTuple):
    """The arguments of a TrainedNetwork, and its weights."""

    class_names: list[str]
    network: dict[str, Any]
    features: dict[str, Any]
    weights: dict[str, Tensor]


def load_member(path: Path) -> TrainedNetwork:
    """Load a network from its checkpoint, on the CPU and in evaluation mode; raises what `read_checkpoint` raises."""
    return build_member(read_checkpoint(path), path)


def build_member(checkpoint: Checkpoint, path: Path) -> TrainedNetwork:
    """Build a network on the CPU and in evaluation mode; `path` is the file for error messages.

    Raises:
        RunError: its settings and weights do not fit together.
    """
    with _checkpoint_errors(path):
        member = TrainedNetwork(checkpoint.class_names, checkpoint.network, checkpoint.features)
        member.load_state_dict(checkpoint.weights)
    return member.eval()


def read_checkpoint(path: Path) -> Checkpoint:
    """Read and check a checkpoint without building its network.

    Raises:
        RunError: the file is missing, not a checkpoint of train.py, or asks for absurd sizes. In the last case, nothing
            has been allocated.
    """
    if not path.is_file():
        raise RunError(f"{path}: file not found; train the member again")
    with _checkpoint_errors(path):
        with zipfile.ZipFile(path) as file:
            check_archive(file)
        content = torch.load(path, map_location="cpu", weights_only=True)
        settings = content["hyper_parameters"]
        checkpoint = Checkpoint(
            list(settings["class_names"]), settings["network"], settings["features"], weights=content["state_dict"]
        )
        check_sizes(checkpoint)
        check_weights(checkpoint, path.stat().st_size)
    return checkpoint


@contextmanager
def _checkpoint_errors(path: Path) -> Iterator[None]:
    """Turn every error into a RunError that names the checkpoint."""
    try:
        yield
    except RunError as error:
        raise RunError(f"{path}: {error}; give a checkpoint that train.py wrote") from error
    except Exception:  # torch.load raises any exception on bytes that are not a checkpoint
        what = "not a checkpoint of train.py, or a damaged one; give another, or train the member again"
        if is_lfs_pointer(path):
            what = "a Git LFS pointer, not the checkpoint; fetch it: git lfs pull"
        # Without the cause: PyTorch's message recommends loading the file in a way that runs code from it.
        raise RunError(f"{path}: {what}") from None


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


def check_sizes(checkpoint: Checkpoint) -> None:
    """Check that a checkpoint asks for sensible sizes.

    Raises:
        RunError: naming the size that is not.
    """
    features = checkpoint.features
    check_size("the number of class names", len(checkpoint.class_names), MAX_CLASSES)
    for name, limit in MAX_FEATURES.items():
        if name in features:
            check_size(f"features.{name}", features[name], limit, least=int(name != "pad"))
    win_lengths, n_fft = features.get("win_lengths", ()), features.get("n_fft", 2048)
    check_size("the number of features.win_lengths", len(win_lengths), MAX_WINDOWS, least=0)
    for win_length in win_lengths:
        check_size("a window of features.win_lengths", win_length, n_fft)
    spectrum = features.get("sample_rate", 16_000) // features.get("hop_length", 100) * n_fft
    check_size("features.n_fft times the frames per second", spectrum, MAX_SPECTRUM)
    for name, value in checkpoint.network.items():
        if isinstance(value, int | float) and abs(value) > MAX_OPTION:
            raise RunError(f"network.{name} is {value!r:.40}, over {MAX_OPTION}")


def check_weights(checkpoint: Checkpoint, num_bytes: int) -> None:
    """Check that a checkpoint of `num_bytes` contains the weights of the network that its settings describe.

    Raises:
        RunError: it contains others.
    """
    weights = checkpoint.weights
    if sum(tensor.numel() for tensor in weights.values()) > num_bytes:  # one value expanded to any shape
        raise RunError("it names more weights than it contains")
    num_windows = len(checkpoint.features.get("win_lengths", range(4)))
    try:
        with torch.device("meta"):  # shapes without memory
            network = build_network(checkpoint.network, num_classes=len(checkpoint.class_names), in_chans=num_windows)
    except RuntimeError:  # a network that computes with values in its constructor
        return
    for key, expected in network.state_dict(prefix="network.").items():
        if key not in weights or weights[key].shape != expected.shape:
            raise RunError(f"its settings and weights disagree ({key})")
