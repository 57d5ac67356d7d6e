"""Export to ONNX and to the web: the file gives PyTorch's probabilities, or is not written."""

import io
import json
import os
import tarfile
from importlib.metadata import version
from pathlib import Path
from unittest.mock import Mock
from urllib.error import URLError

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from overlapped_words.errors import CacheError, UserError
from overlapped_words.export import onnx_export, web_page
from overlapped_words.export.export import export
from overlapped_words.export.onnx_export import TOLERANCE, metadata, probe_waveforms, write_checked
from overlapped_words.export.web_page import FILES, URL, digest, runtime_files
from overlapped_words.inference.checkpoints import find_checkpoints
from overlapped_words.inference.events import EventRule
from overlapped_words.inference.predictor import Predictor, load_predictor
from tests.helpers.composed import settings_of
from tests.helpers.fake_recordings import write
from tests.helpers.networks import write_network
from tests.helpers.runtime import CACHE
from tests.helpers.scripts import ROOT, fresh, run

WORDS = ["no", "on", "영"]


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A member of sets, and the model.onnx of its safetensors file; an export takes many seconds."""
    sweep = tmp_path_factory.mktemp("home") / "겨울 a=b"
    folder = write_network(sweep, "max", 0, WORDS, residual=True, output="set", k=[0, 2])
    (folder / ".hydra" / "config.yaml").write_text("name: 겨울\n", encoding="utf-8")
    run("export.py", f"run_dir={sweep}", "format=safetensors", cwd=sweep.parent)
    arguments = f"ckpt_path={sweep / 'model.safetensors'}", f"output={sweep / 'model.onnx'}"
    printed = run("export.py", *arguments, f"cache_dir={sweep.parent}", cwd=sweep.parent)
    assert f"{sweep / 'model.onnx'}: 1 member, 3 words" in printed and len(printed.splitlines()) == 3
    (sweep / "model.safetensors").unlink()
    assert sorted(path.name for path in sweep.iterdir()) == ["max_seed0", "model.onnx"]
    assert list(sweep.parent.iterdir()) == [sweep]
    return sweep


def predictor(sweep: Path) -> Predictor:
    return load_predictor(find_checkpoints(sweep), "cpu")


def test_the_file_gives_the_probabilities_of_pytorch_and_describes_itself(sweep: Path) -> None:
    session = onnxruntime.InferenceSession(sweep / "model.onnx")
    for batch_size in (1, 2, 5):
        waveforms = np.stack(list(probe_waveforms().values()))[:batch_size]
        found = session.run(["probs", "num_words", "presence"], {"waveforms": waveforms})
        expected = predictor(sweep).predict(torch.from_numpy(waveforms))
        for ours, theirs in zip(found, (expected.probs, expected.sets.num_words, expected.sets.presence), strict=True):
            np.testing.assert_allclose(ours, theirs, atol=TOLERANCE)
    assert np.abs(found[0][0] - found[0][1]).max() > 0.01
    about = session.get_modelmeta().custom_metadata_map
    assert json.loads(about["words"]) == WORDS and json.loads(about["k"]) == [0, 2]
    assert session.get_inputs()[0].shape == ["batch", 16_000] and session.get_outputs()[0].shape == ["batch", 3]
    assert str(ROOT).encode() not in (sweep / "model.onnx").read_bytes()
    assert not {"DFT", "STFT"} & {node.op_type for node in onnx.load(sweep / "model.onnx").graph.node}
    one = predictor(sweep)
    one.rule = EventRule(threshold=dict(zip(reversed(one.class_names), (0.1, 0.2, 0.3), strict=True)))
    about = metadata(one, find_checkpoints(sweep))
    rule = {"hop": 0.125, "windows": 3, "threshold": [0.3, 0.2, 0.1], "refractory": 1.0, "release": 0.5}
    numbers = {"sample_rate": 16_000, "num_samples": 16_000, "members": 1, "k": (0, 2)}
    release = f"overlapped-words {version('overlapped-words')}"
    assert about == {"words": WORDS, **numbers, "events": rule, "recipe": "겨울", "version": release}


def test_a_file_replaces_an_older_one_only_if_it_has_the_probabilities_of_pytorch(sweep: Path, tmp_path: Path) -> None:
    changed, output, waveforms = predictor(sweep), tmp_path / "words.onnx", probe_waveforms()
    program = Mock(**{"model_proto.SerializeToString.return_value": (sweep / "model.onnx").read_bytes()})
    changed.networks[0].dense[-1].bias.data[0] += 0.1
    output.write_text("older")
    with pytest.raises(UserError, match=r"words.onnx: not written, .* differ from PyTorch's by \d\.\de-0[12]"):
        write_checked(program, output, changed, waveforms)
    assert output.read_text() == "older" and list(tmp_path.iterdir()) == [output]
    assert 0 < write_checked(program, output, predictor(sweep), waveforms) < TOLERANCE
    assert output.read_bytes() == (sweep / "model.onnx").read_bytes() and list(tmp_path.iterdir()) == [output]


def test_the_example_runs_without_this_project(sweep: Path, tmp_path: Path) -> None:
    for package in ("torch", "datamodules", "overlapped_words", "lightning_modules"):
        (tmp_path / f"{package}.py").write_text("raise ImportError('not installed')")
    clip = next(iter(probe_waveforms().values()))
    write(tmp_path / "clip.wav", clip)
    command = ROOT / "examples" / "onnx_words.py", sweep / "model.onnx", "clip.wav"
    done = fresh(*command, cwd=tmp_path, PYTHONPATH=str(tmp_path))
    assert done.returncode == 0, done.stderr
    presence = predictor(sweep).predict(torch.from_numpy(clip)[None]).sets.presence[0]
    first, *others = done.stdout.splitlines()
    assert first.startswith("most likely: ")
    assert others == [f"{WORDS[i]}  {presence[i]:.1%}" for i in np.argsort(-presence)]


def test_what_cannot_be_exported_is_an_error_before_the_export(sweep: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sweep").symlink_to(sweep)
    (tmp_path / "broken.ckpt").write_text("no checkpoint")
    (tmp_path / "empty").mkdir()
    os.mkfifo("pipe.onnx")
    before = sorted(tmp_path.rglob("*"))
    monkeypatch.setattr(onnx_export, "to_onnx", lambda *_: pytest.fail("exported"))
    monkeypatch.setattr(web_page, "urlopen", Mock(side_effect=URLError("offline")))
    for settings, message in (
        ("run_dir=empty", "empty: no members in it; give a folder"),
        ("ckpt_path=broken.ckpt", "broken.ckpt: not a checkpoint of train.py, or a damaged one"),
        ("run_dir=sweep format=web output=broken.ckpt", "broken.ckpt, a file; give the name of a fol"),
        ("run_dir=sweep format=web output=nix/web", "nix/web: cannot be written .*; create"),
        ("run_dir=sweep format=web", "onnxruntime-web cannot be downloaded .offline.; download https://"),
        ("run_dir=sweep output=broken.ckpt", "output is broken.ckpt; .* ends in .onnx"),
        ("run_dir=sweep output=pipe.onnx", "output is pipe.onnx; .* ends in .onnx"),
        ("format=safetensors half=true", "words.safetensors, the file to export; give another output=FILE"),
    ):
        with pytest.raises(ValueError, match=message):
            export(settings_of("export", *settings.split(), "cache_dir=nix"))
        assert sorted(tmp_path.rglob("*")) == before
    monkeypatch.setattr("overlapped_words.export.export.find_spec", lambda name: None if name == "onnxscript" else name)
    with pytest.raises(ValueError, match=r"needs onnxscript; pip install -e '\.\[onnx\]'"):
        export(settings_of("export", "run_dir=."))


NAME = URL.rpartition("/")[2]
CONTENTS = {name: f"content of {name}".encode() for name in FILES}


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch) -> bytes:
    """A small package that has the expected hash."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in CONTENTS.items():
            member = tarfile.TarInfo(f"package/dist/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    monkeypatch.setattr(web_page, "SHA512", digest(buffer.getvalue()))
    return buffer.getvalue()


def test_the_package_is_downloaded_once_and_a_failure_says_what_to_do(tmp_path, package, monkeypatch) -> None:
    for answer, message in (
        (URLError("no service"), r"cannot be downloaded \(no service\)"),
        (TimeoutError("timed out"), r"cannot be downloaded \(timed out\)"),
        ([io.BytesIO(b"<html>log in</html>")], "not the expected file, its SHA-512 differs"),
    ):
        monkeypatch.setattr(web_page, "urlopen", Mock(side_effect=answer))
        with pytest.raises(CacheError, match=f"{message}; download https:.* save it as {tmp_path / NAME}$"):
            runtime_files(tmp_path)
    assert list(tmp_path.iterdir()) == []
    archive, server = tmp_path / "cache" / NAME, Mock(side_effect=lambda *_, **__: io.BytesIO(package))
    monkeypatch.setattr(web_page, "urlopen", server)
    for _ in range(2):
        assert runtime_files(tmp_path / "cache") == CONTENTS and server.call_count == 1
    archive.write_bytes(package[:-1])
    assert runtime_files(tmp_path / "cache") == CONTENTS and archive.read_bytes() == package


@pytest.mark.network
def test_the_registry_has_the_package() -> None:
    assert all(len(content) > 10_000 for content in runtime_files(CACHE).values())
