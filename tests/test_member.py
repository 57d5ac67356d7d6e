"""Load checkpoints from untrusted sources: a network, or a one-line error before anything is allocated."""

import zipfile
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from typing import Any

import pytest
import torch

from overlapped_words.errors import RunError
from overlapped_words.inference.member import load_member, read_checkpoint
from tests.helpers.fake_members import WORDS
from tests.helpers.networks import write_network


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_network(tmp_path_factory.mktemp("sweep"), "avg", 0) / "checkpoints" / "last.ckpt"


def change(checkpoint: Path, target: Path, name: str, value: Any) -> Path:
    """A copy in which the argument `name`, such as `features.n_mels`, is `value`."""
    content = torch.load(checkpoint, weights_only=True)
    *groups, key = name.split(".")
    arguments = content["hyper_parameters"]
    for group in groups:
        arguments = arguments[group]
    arguments[key] = value
    torch.save(content, target)
    return target


def reason(checkpoint: Path) -> str:
    """The one-line error of a checkpoint, without PyTorch's advice; nothing large is allocated before it."""
    peak = getrusage(RUSAGE_SELF).ru_maxrss
    with pytest.raises(RunError) as caught:
        load_member(checkpoint)
    assert getrusage(RUSAGE_SELF).ru_maxrss - peak < 100_000  # KB
    message = str(caught.value)
    assert message.startswith(f"{checkpoint}: ") and "\n" not in message and "weights_only" not in message
    return message.removeprefix(f"{checkpoint}: ")


def test_a_checkpoint_gives_its_network(checkpoint):
    member = load_member(checkpoint)
    weights = torch.load(checkpoint, weights_only=True)["state_dict"]
    assert read_checkpoint(checkpoint).class_names == member.class_names == WORDS
    assert member.features.n_fft == 2048 and not member.training
    assert all(torch.equal(value, weights[name]) for name, value in member.state_dict().items())


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("features.n_mels", 10**9, "features.n_mels is 1000000000, not a whole number from 1 to 2048"),
        ("features.n_fft", 2**30, "features.n_fft is 1073741824, not a whole number from 1 to 65536"),
        ("features.n_fft", 2048.5, "features.n_fft is 2048.5, not"),
        ("features.n_fft", float("nan"), "features.n_fft is nan, not"),
        ("features.pad", 10**12, "features.pad is 1000000000000, not a whole number from 0 to 65536"),
        ("features.sample_rate", 10**10, "features.sample_rate is 10000000000, not"),
        ("features.hop_length", 0, "features.hop_length is 0, not a whole number from 1"),
        ("features.win_lengths", [2**30], "a window of features.win_lengths is 1073741824, not"),
        ("features.win_lengths", [500] * 1000, "the number of features.win_lengths is 1000, not"),
        ("network.width", 10**9, "network.width is 1000000000, over 65536"),
        ("network.width", 60_000, "its settings and weights disagree (network.stem.weight)"),
        ("network.width", 3, "its settings and weights disagree (network.stem.weight)"),
        ("network.depth", 3, "not a checkpoint of train.py, or a damaged one"),
        ("class_names", ["no"] * 20_000, "the number of class names is 20000, not a whole number from 1 to 10000"),
        ("class_names", ["a", "b"], "its settings and weights disagree (network.dense.4.weight)"),
        ("network", "mac", "not a checkpoint of train.py, or a damaged one"),
    ],
)
def test_absurd_sizes_are_named(checkpoint, tmp_path, name, value, message):
    assert reason(change(checkpoint, tmp_path / "a.ckpt", name, value)).startswith(message)


def test_many_frames_of_a_long_fft_are_rejected(checkpoint, tmp_path):
    path = change(checkpoint, tmp_path / "a.ckpt", "features.n_fft", 65_536)
    path = change(path, path, "features.hop_length", 1)
    assert reason(path).startswith("features.n_fft times the frames per second is 1048576000, not")


def test_a_million_class_names_are_not_read(checkpoint, tmp_path):
    path = change(checkpoint, tmp_path / "a.ckpt", "class_names", [f"word {i}" for i in range(1_000_000)])
    assert reason(path).startswith("the number of bytes in its class names and other settings is 2")


def test_an_expanded_tensor_is_not_copied(checkpoint, tmp_path):
    content = torch.load(checkpoint, weights_only=True)
    content["hyper_parameters"]["network"]["width"] = 60_000
    content["state_dict"] = {"network.stem.weight": torch.zeros(1).expand(120_000, 2, 6, 6)}
    torch.save(content, tmp_path / "a.ckpt")
    assert reason(tmp_path / "a.ckpt").startswith("it names more weights than it contains")


def test_a_compressed_archive_is_not_decompressed(checkpoint, tmp_path):
    with zipfile.ZipFile(checkpoint) as old, zipfile.ZipFile(tmp_path / "a.ckpt", "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    assert "is compressed" in reason(tmp_path / "a.ckpt")


@pytest.mark.parametrize(
    "content", [b"", b"hello", b"id,yes\n1,2\n", b"PK\x03\x04junk", b"\x80\x02junk", "cut", "a tensor", "an object"]
)
def test_other_files_are_rejected(checkpoint, tmp_path, content):
    path = tmp_path / "a.ckpt"
    match content:
        case bytes():
            path.write_bytes(content)
        case "cut":
            path.write_bytes(checkpoint.read_bytes()[:-5000])
        case "a tensor":
            torch.save(torch.zeros(3), path)
        case _:
            torch.save({"state_dict": {}, "hyper_parameters": Path("x")}, path)
    assert reason(path) == "not a checkpoint of train.py, or a damaged one; give another, or train the member again"


def test_a_checkpoint_that_git_did_not_fetch_is_named(tmp_path):
    (tmp_path / "a.ckpt").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:4d\nsize 9\n")
    assert reason(tmp_path / "a.ckpt") == "a Git LFS pointer, not the checkpoint; fetch it: git lfs pull"
