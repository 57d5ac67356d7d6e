"""Load files from untrusted sources: a network, or a one-line error before anything is allocated."""

import hashlib
import io
import json
import math
import shutil
import zipfile
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save, save_file

from overlapped_words import load
from overlapped_words.errors import RunError
from overlapped_words.export.export import export
from overlapped_words.inference.checkpoints import find_checkpoints
from overlapped_words.inference.events import EventRule
from overlapped_words.inference.member import build_member, read_checkpoint
from overlapped_words.inference.safetensors_file import read_networks, read_trained, write_networks
from tests.helpers.composed import settings_of
from tests.helpers.fake_members import WORDS
from tests.helpers.fake_recordings import RATE, speech
from tests.helpers.networks import write_network

DAMAGED = "not a checkpoint of train.py, or a damaged one; give another"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_network(tmp_path_factory.mktemp("sweep"), "avg", 0) / "checkpoints" / "last.ckpt"


def change(checkpoint: Path, target: Path, changes: dict[str, Any]) -> Path:
    """A copy with other arguments, such as `features.n_mels`."""
    content = torch.load(checkpoint, weights_only=True)
    for name, value in changes.items():
        group, _, key = name.rpartition(".")
        arguments = content["hyper_parameters"]
        (arguments[group] if group else arguments)[key] = value
    torch.save(content, target)
    return target


def reason(path: Path) -> str:
    """The one-line error of a file, without PyTorch's advice; nothing large is allocated before it."""
    peak = getrusage(RUSAGE_SELF).ru_maxrss
    with pytest.raises(RunError) as caught:
        load(path, "cpu")
    assert getrusage(RUSAGE_SELF).ru_maxrss - peak < 100_000  # KB
    message = str(caught.value)
    assert message.startswith(f"{path}: ") and "\n" not in message and "weights_only" not in message
    assert caught.value.__cause__ is None or "weights_only" not in str(caught.value.__cause__)
    return message.removeprefix(f"{path}: ")


def test_a_checkpoint_gives_its_network_but_not_a_compressed_archive(checkpoint, tmp_path):
    member = build_member(read_checkpoint(checkpoint), checkpoint)
    weights = torch.load(checkpoint, weights_only=True)["state_dict"]
    assert read_checkpoint(checkpoint).class_names == member.class_names == WORDS
    assert member.features.n_fft == 2048 and not member.network.training
    loaded = member.network.state_dict(prefix="network.")
    assert all(torch.equal(value, weights[name]) for name, value in loaded.items())
    with zipfile.ZipFile(checkpoint) as old, zipfile.ZipFile(tmp_path / "a.ckpt", "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    assert "is compressed" in reason(tmp_path / "a.ckpt")


def test_absurd_settings_are_named(checkpoint, tmp_path):
    for changes, message in (
        ({"features.n_mels": 10**9}, "features.n_mels is 1000000000, not a whole number from 1 to 16384"),
        ({"features.n_fft": float("nan")}, "features.n_fft is nan, not"),
        ({"features.n_fft": 65_536, "features.hop_length": 1}, "features.n_fft is 65536, not"),
        ({"features.hop_length": 1}, "the number of values in the features of a clip is 4"),
        ({"features.hop_length": 0}, "features.hop_length is 0, not a whole number from 1"),
        ({"features.hop_length": 10_000}, DAMAGED),  # too few frames for the network
        ({"features.win_lengths": [2**30]}, "a window of features.win_lengths is 1073741824, not"),
        ({"features.win_lengths": [500] * 1000}, "the number of features.win_lengths is 1000, not"),
        ({"network.width": 10**9}, "network.width is 1000000000, over 65536"),
        ({"network.width": 60_000}, "its settings and weights disagree (network.stem.weight)"),
        ({"network": "mac"}, DAMAGED),
        ({"class_names": ["no"] * 20_000}, "the number of class names is 20000, not a whole number from 1 to 10000"),
        ({"class_names": ["a", "b"]}, "its settings and weights disagree (network.dense.4.weight)"),
        ({"class_names": [f"word {i}" for i in range(1_000_000)]}, "the number of bytes in its class names and other"),
    ):
        assert reason(change(checkpoint, tmp_path / "a.ckpt", changes)).startswith(message)


def test_weights_that_are_not_finite_or_not_in_the_file_are_an_error(checkpoint, tmp_path):
    for weight, message in (
        (torch.full((4, 2, 6, 6), torch.nan), "its weights are not all finite numbers (network.stem.weight); give a"),
        (torch.zeros(1).expand(120_000, 2, 6, 6), "it names more weights than it contains"),
    ):
        content = torch.load(checkpoint, weights_only=True)
        content["hyper_parameters"]["network"]["width"] = len(weight) // 2
        content["state_dict"]["network.stem.weight"] = weight
        torch.save(content, tmp_path / "a.ckpt")
        assert reason(tmp_path / "a.ckpt").startswith(message)


def pickled(content: object) -> bytes:
    torch.save(content, file := io.BytesIO())
    return file.getvalue()


def test_other_files_are_rejected(checkpoint, tmp_path):
    path = tmp_path / "a.ckpt"
    others = [b"", b"id,yes\n1,2\n", b"PK\x03\x04junk", b"\x80\x02junk", checkpoint.read_bytes()[:-5000]]
    others += [pickled(torch.zeros(3)), pickled({"state_dict": {}, "hyper_parameters": Path("x")})]
    for content in others:
        path.write_bytes(content)
        assert reason(path) == DAMAGED
    path = tmp_path / "a.safetensors"
    write_networks(path, *read_trained([checkpoint]), half=False)
    for content in (path.read_bytes()[:-100], pickled({"state_dict": {}}), save({"0.a": torch.zeros(1)})):
        path.write_bytes(content)
        assert reason(path) == NOT_SAFETENSORS


@pytest.mark.parametrize("name", ["a.ckpt", "a.safetensors"])
def test_a_file_that_git_did_not_fetch_is_named(tmp_path, name):
    (tmp_path / name).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:4d\nsize 9\n")
    assert reason(tmp_path / name) == "a Git LFS pointer, not the file; fetch it: git lfs pull"


NOT_SAFETENSORS = "not a safetensors file of export.py, or a damaged one; give another"


def rewrite(path: Path, **changes: Any) -> None:
    """Write other metadata into a safetensors file; None removes an entry."""
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        metadata = file.metadata() | {name: json.dumps(value) for name, value in changes.items()}
    save_file(tensors, path, {name: text for name, text in metadata.items() if changes.get(name, "") is not None})


def test_absurd_settings_and_rules_of_a_safetensors_file_are_named(checkpoint, tmp_path):
    path, (members, *fitted) = tmp_path / "a.safetensors", read_trained([checkpoint])
    write_networks(path, members, *fitted, half=False)
    rewrite(path, events=None)  # as in older files
    assert load(path, "cpu").predictor.rule == EventRule()
    for number, changes, message in (
        (0, {}, "the number of members is 0, not"),
        (300, {}, "the number of members is 300, not"),
        (2, {}, "its settings and weights disagree"),
        (1, {"more": 1}, NOT_SAFETENSORS),
        (1, {"network": {"name": "mac", "width": 3}}, "its settings and weights disagree"),
        (1, {"features": {"hop_length": 1}}, "the number of values in the features of a clip is 7"),
    ):
        rewrite(path, members=[{**members[0]._replace(weights={})._asdict(), **changes}] * number)
        assert reason(path).startswith(message)
    write_networks(path, members, *fitted, half=False)
    for rule, message in (
        ({"hop": 0}, "events.hop is 0, not a number from 0.01 to 1"),
        ({"hop": math.nan}, "events.hop is nan"),
        ({"windows": 101}, "events.windows is 101, not a number from 1 to 100"),
        ({"windows": 2.0}, "events.windows is 2.0"),
        ({"windows": True}, "events.windows is True"),
        ({"refractory": -1}, "events.refractory is -1"),
        ({"threshold": "0.5"}, "events.threshold is '0.5', not a number from 0 to 1"),
        ({"threshold": {"yes": 2}}, "events.threshold is 2"),
        ({"threshold": {"maybe": 0.5}}, "events.threshold is for different words (maybe, no, thanks"),
        ({"windows": 9}, "9 windows every 0.125 s share nothing; lower one of events.windows, hop"),
    ):
        rewrite(path, events=rule)
        assert reason(path).startswith(message)


CLIPS = np.stack([speech(i) for i in range(3)])


@pytest.mark.parametrize(("half", "tolerance"), [(False, 0), (True, 1e-2)])
def test_an_exported_file_predicts_what_its_checkpoints_predict(tmp_path, capsys, half, tolerance):
    sweep = write_network(tmp_path, "avg", 0, output="set", k=[0, 2]).parent
    write_network(sweep, "max", 0)
    command = f"run_dir={sweep}", "format=safetensors", f"half={half}", "threshold=0.75"
    other = write_network(sweep, "avg", 1, words=WORDS[::-1])
    with pytest.raises(RunError, match="different words"):
        export(settings_of("export", *command))
    shutil.rmtree(other)
    path = export(settings_of("export", *command))
    assert path == sweep / "model.safetensors"
    np.testing.assert_allclose(load(path, "cpu")(CLIPS, RATE), load(sweep, "cpu")(CLIPS, RATE), rtol=tolerance)
    assert path.stat().st_size < sum(file.stat().st_size for file in find_checkpoints(sweep)) / (2 if half else 1)
    members, _, rule = read_networks(path)
    assert rule == EventRule(threshold=0.75)
    assert [(member.class_names, member.network["pool"]) for member in members] == [(WORDS, "avg"), (WORDS, "max")]
    assert members[0].weights["network.stem.weight"].dtype == torch.float32
    line, checksum = capsys.readouterr().out.splitlines()
    assert line.startswith(f"{path}: 2 members, 4 words, 0.")
    assert checksum == f"SHA-256 {hashlib.sha256(path.read_bytes()).hexdigest()}"
