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
from omegaconf import OmegaConf

from overlapped_words.errors import CacheError, UserError
from overlapped_words.export import onnx_export, web_page
from overlapped_words.export.export import export
from overlapped_words.export.onnx_export import TOLERANCE, metadata, probe_waveforms, to_onnx, write_checked
from overlapped_words.export.web_page import FILES, URL, digest, runtime_files
from overlapped_words.inference.checkpoints import find_checkpoints
from overlapped_words.inference.events import EventRule
from overlapped_words.inference.predictor import Predictor, load_predictor
from overlapped_words.settings.check import check
from overlapped_words.settings.predict import Export
from tests.helpers.fake_recordings import write
from tests.helpers.networks import write_network
from tests.helpers.runtime import CACHE
from tests.helpers.scripts import ROOT, fresh, run

WORDS = ["no", "on", "영"]
DEFAULTS = {"format": "onnx", "half": False, "cache_dir": "nix"}
DEFAULTS |= dict.fromkeys(("run_dir", "ckpt_path", "output", "threshold"))


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep's folder with two members and the model.onnx of both; an export takes many seconds."""
    sweep = tmp_path_factory.mktemp("home") / "겨울 a=b"
    for pool, residual in (("avg", False), ("max", True)):
        folder = write_network(sweep, pool, 0, WORDS, residual=residual)
        (folder / ".hydra" / "config.yaml").write_text("name: 겨울\n", encoding="utf-8")
    printed = run("export.py", f"run_dir={sweep}", f"cache_dir={sweep.parent}", cwd=sweep.parent)
    assert f"{sweep / 'model.onnx'}: 2 members, 3 words" in printed and len(printed.splitlines()) == 3
    assert sorted(path.name for path in sweep.iterdir()) == ["avg_seed0", "max_seed0", "model.onnx"]
    assert list(sweep.parent.iterdir()) == [sweep]
    return sweep


def predictor(sweep: Path) -> Predictor:
    return load_predictor(find_checkpoints(sweep), "cpu")


def test_the_file_gives_the_probabilities_of_pytorch_and_describes_itself(sweep: Path) -> None:
    session = onnxruntime.InferenceSession(sweep / "model.onnx")
    for batch_size in (1, 2, 5):
        waveforms = np.stack(list(probe_waveforms(16_000, 16_000).values()))[:batch_size]
        probs = session.run(["probs"], {"waveforms": waveforms})[0]
        np.testing.assert_allclose(probs, predictor(sweep)(torch.from_numpy(waveforms)), atol=TOLERANCE)
    assert np.abs(probs[0] - probs[1]).max() > 0.01
    metadata = session.get_modelmeta().custom_metadata_map
    assert json.loads(metadata.pop("words")) == WORDS
    release = f"overlapped-words {version('overlapped-words')}"
    numbers = {"sample_rate": "16000", "num_samples": "16000", "members": "2"}
    assert metadata == {**numbers, "recipe": "겨울", "version": release}
    assert session.get_inputs()[0].shape == ["batch", 16_000] and session.get_outputs()[0].shape == ["batch", 3]
    assert str(ROOT).encode() not in (sweep / "model.onnx").read_bytes()
    assert not {"DFT", "STFT"} & {node.op_type for node in onnx.load(sweep / "model.onnx").graph.node}


def test_a_network_of_sets_has_presence_numbers_of_words_and_a_rule(tmp_path: Path) -> None:
    checkpoint = write_network(tmp_path, "avg", 0, output="set", k=[0, 2]) / "checkpoints" / "last.ckpt"
    one, path = predictor(tmp_path), tmp_path / "model.onnx"
    one.rule = EventRule(threshold=dict(zip(reversed(one.class_names), (0.1, 0.2, 0.3, 0.4), strict=True)))
    waveforms = probe_waveforms(16_000, 16_000)
    write_checked(to_onnx(one, metadata(one, [checkpoint])), path, one, waveforms)
    inputs, session = np.stack(list(waveforms.values())), onnxruntime.InferenceSession(path)
    num_words, presence = session.run(["num_words", "presence"], {"waveforms": inputs})
    sets = one.predict(torch.from_numpy(inputs)).sets
    np.testing.assert_allclose(num_words, sets.num_words, atol=TOLERANCE)
    np.testing.assert_allclose(presence, sets.presence, atol=TOLERANCE)
    rule = json.loads(session.get_modelmeta().custom_metadata_map["events"])
    assert rule == {"hop": 0.125, "windows": 3, "threshold": [0.4, 0.3, 0.2, 0.1], "refractory": 1.0, "release": 0.5}


def test_the_export_is_compared_on_waveforms_of_16_bits() -> None:
    waveforms = probe_waveforms(16_000, 16_000)
    assert list(waveforms) == ["noise", "chirp", "quiet noise", "quiet chirp", "silence"]
    samples = np.stack(list(waveforms.values()))
    assert np.abs(samples).max() < 1 and np.array_equal(samples * 32768, np.round(samples * 32768))
    assert len(np.unique(samples, axis=0)) == len(samples) and not samples[-1].any()


def test_a_file_replaces_an_older_one_only_if_it_has_the_probabilities_of_pytorch(sweep: Path, tmp_path: Path) -> None:
    changed, output, waveforms = predictor(sweep), tmp_path / "words.onnx", probe_waveforms(16_000, 16_000)
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
    clip = next(iter(probe_waveforms(16_000, 16_000).values()))
    write(tmp_path / "clip.wav", clip)
    command = ROOT / "examples" / "onnx_words.py", sweep / "model.onnx", "clip.wav"
    done = fresh(*command, cwd=tmp_path, PYTHONPATH=str(tmp_path))
    assert done.returncode == 0, done.stderr
    probs = predictor(sweep)(torch.from_numpy(clip)[None])[0]
    expected = [f"{WORDS[i]}  {probs[i]:.1%}" for i in probs.argsort(descending=True)]
    assert done.stdout.splitlines() == expected


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"run_dir": "empty"}, "empty: no members in it; give a folder"),
        ({"ckpt_path": "broken.ckpt"}, "broken.ckpt: not a checkpoint of train.py, or a damaged one"),
        ({"run_dir": "sweep", "format": "web", "output": "broken.ckpt"}, "broken.ckpt, a file; give the name of a fol"),
        ({"run_dir": "sweep", "format": "web", "output": "nix/web"}, "nix/web: cannot be written .*; create"),
        ({"run_dir": "sweep", "format": "web"}, "onnxruntime-web cannot be downloaded .offline.; download https://"),
        ({"run_dir": "sweep", "output": "broken.ckpt"}, "output is broken.ckpt; .* ends in .onnx"),
        ({"run_dir": "sweep", "output": "pipe.onnx"}, "output is pipe.onnx; .* ends in .onnx"),
        ({"format": "safetensors", "half": True}, "words.safetensors, the file to export; give another output=FILE"),
    ],
)
def test_invalid_settings_are_errors_before_the_export(
    sweep: Path, tmp_path: Path, monkeypatch, settings: dict[str, str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sweep").symlink_to(sweep)
    (tmp_path / "broken.ckpt").write_text("no checkpoint")
    (tmp_path / "empty").mkdir()
    os.mkfifo("pipe.onnx")
    before = sorted(tmp_path.rglob("*"))
    monkeypatch.setattr(onnx_export, "to_onnx", lambda *_: pytest.fail("exported"))
    monkeypatch.setattr(web_page, "urlopen", Mock(side_effect=URLError("offline")))
    with pytest.raises(ValueError, match=message):
        export(check(Export, OmegaConf.create({**DEFAULTS, **settings})))
    assert sorted(tmp_path.rglob("*")) == before


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("overlapped_words.export.export.find_spec", lambda name: None if name == "onnxscript" else name)
    with pytest.raises(ValueError, match=r"needs onnxscript; pip install -e '\.\[onnx\]'"):
        export(check(Export, OmegaConf.create({**DEFAULTS, "run_dir": "."})))


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


def test_the_package_is_downloaded_once_and_again_if_it_is_damaged(tmp_path, package, monkeypatch) -> None:
    archive, server = tmp_path / "cache" / NAME, Mock(side_effect=lambda *_, **__: io.BytesIO(package))
    monkeypatch.setattr(web_page, "urlopen", server)
    for _ in range(2):
        assert runtime_files(tmp_path / "cache") == CONTENTS and server.call_count == 1
    archive.write_bytes(package[:-1])
    assert runtime_files(tmp_path / "cache") == CONTENTS and archive.read_bytes() == package


def test_a_failed_download_says_what_to_do(tmp_path, package, monkeypatch) -> None:
    for answer, message in (
        (URLError("no service"), r"cannot be downloaded \(no service\)"),
        (TimeoutError("timed out"), r"cannot be downloaded \(timed out\)"),
        ([io.BytesIO(b"<html>log in</html>")], "not the expected file, its SHA-512 differs"),
    ):
        monkeypatch.setattr(web_page, "urlopen", Mock(side_effect=answer))
        with pytest.raises(CacheError, match=f"{message}; download https:.* save it as {tmp_path / NAME}$"):
            runtime_files(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.network
def test_the_registry_has_the_package() -> None:
    assert all(len(content) > 10_000 for content in runtime_files(CACHE).values())
