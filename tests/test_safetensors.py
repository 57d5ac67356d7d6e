"""Trained networks in one safetensors file predict what their checkpoints predict."""

import hashlib
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from overlapped_words import load
from overlapped_words.ensembling.ensemble_file import StackingWeights
from overlapped_words.export.export import export
from overlapped_words.inference.checkpoints import find_checkpoints
from overlapped_words.inference.predictor import load_predictor
from overlapped_words.inference.safetensors_file import SavedNetworks, read_networks, read_trained, write_networks
from tests.helpers.composed import settings_of
from tests.helpers.fake_members import WORDS
from tests.helpers.fake_recordings import RATE, speech
from tests.helpers.networks import write_network
from tests.helpers.scripts import ROOT

CLIPS = np.stack([speech(i) for i in range(3)])


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two members of different outputs."""
    sweep = tmp_path_factory.mktemp("sweep")
    write_network(sweep, "avg", 0, output="set", k=[0, 2])
    write_network(sweep, "max", 0)
    return sweep


@pytest.fixture(scope="module")
def trained(sweep: Path) -> SavedNetworks:
    return read_trained(find_checkpoints(sweep))


@pytest.mark.parametrize(("half", "tolerance"), [(False, 0), (True, 1e-2)])
def test_a_file_predicts_what_its_checkpoints_predict(sweep, trained, tmp_path, half, tolerance):
    path = tmp_path / "words.safetensors"
    write_networks(path, trained, half)
    np.testing.assert_allclose(load(path, "cpu")(CLIPS, RATE), load(sweep, "cpu")(CLIPS, RATE), rtol=tolerance)
    expected = sum(file.stat().st_size for file in find_checkpoints(sweep)) / (2 if half else 1)
    assert path.stat().st_size < expected
    assert [(member.class_names, member.network["pool"]) for member in read_networks(path).members] == [
        (WORDS, "avg"),
        (WORDS, "max"),
    ]


def test_stacking_weights_are_in_the_file(trained, tmp_path):
    offsets = dict(zip(WORDS, (0.5, 0.0, -1.0, 0.2), strict=True))
    stacking = StackingWeights({"avg_seed0": 1.5, "max_seed0": -0.25}, offsets, 1e-10, val_kl=0.1, mean_kl=0.2)
    path = tmp_path / "words.safetensors"
    write_networks(path, trained._replace(stacking=stacking), half=False)
    predictor = load_predictor([path], "cpu")
    assert predictor.summary == "2 members, stacked" and predictor.stacking == stacking
    assert predictor.offsets.tolist() == pytest.approx(list(offsets.values()))


def test_the_export_prints_the_checksum(sweep, tmp_path, capsys):
    output = export(settings_of("export", f"run_dir={sweep}", "format=safetensors", "half=true"))
    assert output == sweep / "model.safetensors"
    line, checksum = capsys.readouterr().out.splitlines()
    assert line.startswith(f"{output}: 2 members, 4 words, 0.")
    assert checksum == f"SHA-256 {hashlib.sha256(output.read_bytes()).hexdigest()}"
    assert read_networks(output).members[0].weights["network.stem.weight"].dtype == torch.float32


def test_the_example_prints_the_words_of_a_recording(sweep, tmp_path, monkeypatch, capsys):
    soundfile.write(tmp_path / "clip.wav", CLIPS[0], RATE)
    monkeypatch.setattr(sys, "argv", ["words.py", str(tmp_path / "clip.wav"), str(sweep / "avg_seed0")])
    runpy.run_path(str(ROOT / "examples" / "words.py"))
    sets = load(sweep / "avg_seed0", "cpu").word_sets(tmp_path / "clip.wav")
    first, *shares = capsys.readouterr().out.splitlines()
    assert first == f"{', '.join(sets['words'])} ({sets['probability']:.1%})" and len(shares) == len(WORDS)
    monkeypatch.setattr(sys, "argv", ["words.py", str(tmp_path / "none.wav"), str(sweep / "avg_seed0")])
    with pytest.raises(SystemExit, match=r"none\.wav: file not found"):
        runpy.run_path(str(ROOT / "examples" / "words.py"))
