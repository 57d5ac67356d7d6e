"""One network from its checkpoint alone."""

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from datamodules.audio_files import is_lfs_pointer
from errors import RunError
from lightning_modules.classifier import NETWORKS, WordClassifier

ARGUMENTS = ("class_names", "network", "features", "optimizer", "schedule")

# The largest sizes that a checkpoint may ask for, far beyond what is useful: a file of a few bytes could otherwise make
# the program allocate any amount of memory.
MAX_SETTINGS = 4 << 20  # bytes of everything in it but the weights
MAX_CLASSES = 10_000
MAX_FEATURES = {"sample_rate": 768_000, "n_fft": 1 << 16, "hop_length": 1 << 16, "pad": 1 << 16, "n_mels": 2_048}
MAX_WINDOWS = 16
MAX_SPECTRUM = 1 << 24  # values of one window length in a second
MAX_OPTION = 1 << 16  # of the network, such as its width


def load_member(checkpoint: Path) -> WordClassifier:
    """One network from its checkpoint, on the CPU.

    Raises:
        RunError: missing, not a checkpoint of train.py, or of absurd sizes; nothing is allocated for these.
    """
    if not checkpoint.is_file():
        raise RunError(f"{checkpoint}: no such file; train the member again")
    try:
        with zipfile.ZipFile(checkpoint) as file:
            check_archive(file)
        content = torch.load(checkpoint, map_location="cpu", weights_only=True)
        arguments = {name: content["hyper_parameters"][name] for name in ARGUMENTS}
        check_sizes(**arguments)
        check_weights(content["state_dict"], arguments, checkpoint.stat().st_size)
        learner = WordClassifier(**arguments)
        learner.load_state_dict(content["state_dict"])
    except RunError as error:
        raise RunError(f"{checkpoint}: {error}; give a checkpoint that train.py wrote") from error
    except Exception:  # bytes that are no checkpoint make torch.load raise anything
        what = "not a checkpoint of train.py, or a damaged one; give another, or train the member again"
        if is_lfs_pointer(checkpoint):
            what = "a Git LFS pointer, not the checkpoint; fetch it: git lfs pull"
        raise RunError(f"{checkpoint}: {what}") from None  # PyTorch advises to load it in a way that runs its code
    return learner


def check_archive(file: zipfile.ZipFile) -> None:
    """Whether a checkpoint's archive is one that PyTorch would write and reads in no time.

    Raises:
        RunError: compressed, or with more settings than a million class names would need.
    """
    for entry in file.infolist():
        if entry.compress_type != zipfile.ZIP_STORED:
            raise RunError(f"{entry.filename} in it is compressed, as PyTorch never does")
        if entry.filename.endswith("data.pkl"):
            check_size("the number of bytes in its class names and other settings", entry.file_size, MAX_SETTINGS)


def check_size(name: str, value: Any, limit: int, least: int = 1) -> None:
    """Whether a size that is allocated by is a sensible number; raises RunError."""
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= limit:
        raise RunError(f"{name} is {value!r:.40}, not a whole number from {least} to {limit}")


def check_sizes(
    class_names: list[str], network: dict[str, Any], features: dict[str, Any], **others: dict[str, Any]
) -> None:
    """Whether the arguments of a WordClassifier are of sensible sizes.

    Raises:
        RunError: naming the one that is not.
    """
    check_size("the number of class names", len(class_names), MAX_CLASSES)
    for name, limit in MAX_FEATURES.items():
        if name in features:
            check_size(f"features.{name}", features[name], limit, least=int(name != "pad"))
    win_lengths, n_fft = features.get("win_lengths", ()), features.get("n_fft", 2048)
    check_size("the number of features.win_lengths", len(win_lengths), MAX_WINDOWS, least=0)
    for win_length in win_lengths:
        check_size("a window of features.win_lengths", win_length, n_fft)
    spectrum = features.get("sample_rate", 16_000) // features.get("hop_length", 100) * n_fft
    check_size("features.n_fft times the frames in a second", spectrum, MAX_SPECTRUM)
    for name, value in network.items():
        if isinstance(value, int | float) and abs(value) > MAX_OPTION:
            raise RunError(f"network.{name} is {value!r:.40}, over {MAX_OPTION}")


def check_weights(weights: Mapping[str, Tensor], arguments: Mapping[str, Any], num_bytes: int) -> None:
    """Whether a checkpoint of `num_bytes` holds the weights of the network that its arguments describe.

    Raises:
        RunError: it holds others.
    """
    if sum(tensor.numel() for tensor in weights.values()) > num_bytes:  # one value expanded to any shape
        raise RunError("it names more weights than it holds")
    options = dict(arguments["network"])
    name = options.pop("name")
    num_windows = len(arguments["features"].get("win_lengths", range(4)))
    try:
        with torch.device("meta"):  # shapes without memory
            network = NETWORKS[name](num_classes=len(arguments["class_names"]), in_chans=num_windows, **options)
    except (NotImplementedError, RuntimeError):  # one that computes with values while it is built
        return
    for key, wanted in network.state_dict(prefix="network.").items():
        if key not in weights or weights[key].shape != wanted.shape:
            raise RunError(f"its settings and weights disagree ({key})")
