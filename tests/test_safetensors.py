"""Trained networks in one safetensors file predict what their checkpoints predict."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch

from overlapped_words import load
from overlapped_words.ensembling.ensemble_file import StackingWeights
from overlapped_words.export.export import export
from overlapped_words.inference.checkpoints import find_checkpoints
from overlapped_words.inference.events import EventRule
from overlapped_words.inference.predictor import load_predictor
from overlapped_words.inference.safetensors_file import read_networks, read_trained, write_networks
from tests.helpers.composed import settings_of
from tests.helpers.fake_members import WORDS
from tests.helpers.fake_recordings import RATE, speech
from tests.helpers.networks import write_network

CLIPS = np.stack([speech(i) for i in range(3)])


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two members of different outputs."""
    sweep = tmp_path_factory.mktemp("sweep")
    write_network(sweep, "avg", 0, output="set", k=[0, 2])
    write_network(sweep, "max", 0)
    return sweep


@pytest.mark.parametrize(("half", "tolerance"), [(False, 0), (True, 1e-2)])
def test_an_exported_file_predicts_what_its_checkpoints_predict(sweep, capsys, half, tolerance):
    path = export(settings_of("export", f"run_dir={sweep}", "format=safetensors", f"half={half}", "threshold=0.75"))
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


def test_stacking_weights_are_in_the_file(sweep, tmp_path):
    offsets = dict(zip(WORDS, (0.5, 0.0, -1.0, 0.2), strict=True))
    stacking = StackingWeights({"avg_seed0": 1.5, "max_seed0": -0.25}, offsets, 1e-10, val_kl=0.1, mean_kl=0.2)
    path = tmp_path / "words.safetensors"
    write_networks(path, read_trained(find_checkpoints(sweep))[0], stacking, EventRule(), half=False)
    predictor = load_predictor([path], "cpu")
    assert predictor.summary == "2 members, stacked" and predictor.stacking == stacking
