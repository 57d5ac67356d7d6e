"""Combine members as ensemble.py does."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from datamodules.features import MultiResolutionMel
from lightning_modules.network import build_network
from overlapped_words.ensembling.ensemble_file import StackingWeights
from overlapped_words.ensembling.stacking import pool
from overlapped_words.errors import RunError
from overlapped_words.export.export import export
from overlapped_words.inference.member import TrainedNetwork
from overlapped_words.inference.predictor import Predictor, load_predictor
from tests.helpers.composed import settings_of
from tests.helpers.fake_members import write_unequal
from tests.helpers.networks import SMALLER_FRONT_END, set_norms, write_network
from tests.helpers.scripts import combine

NAMES = ["one", "two", "three"]


def member(seed: int, **features) -> TrainedNetwork:
    """A tiny network of random weights, whose probs differ between clips."""
    torch.manual_seed(seed)
    front_end = MultiResolutionMel(**(settings := {**SMALLER_FRONT_END, **features}))
    network = build_network({"name": "mac", "width": 2}, num_classes=3, in_chans=len(front_end.win_lengths))
    set_norms(network, front_end(noise(8)))
    return TrainedNetwork(["a", "b", "c"], settings, front_end, network.eval())


def noise(num_clips: int) -> Tensor:
    """Half a second of noise per clip, at a different position in each."""
    clips = torch.randn(num_clips, 16_000, generator=torch.Generator().manual_seed(0)) / 10
    positions = torch.arange(16_000) - torch.linspace(0, 8_000, num_clips).view(-1, 1)
    return clips * ((positions >= 0) & (positions < 8_000))


def test_members_are_pooled_as_in_the_ensemble_and_one_is_bitwise_its_network() -> None:
    members = [member(0), member(1), member(2, n_mels=40)]  # the last one has another front end
    alone = np.stack([Predictor([one], ["one"])(noise(3)).numpy() for one in members])
    weights, offsets = {"one": 1.5, "two": -0.25, "three": 0.5}, {"c": 0.5, "a": 0.0, "b": -1.0}
    stacking = StackingWeights(weights, offsets, 1e-10, val_kl=0.1, mean_kl=0.2)
    stacked = Predictor(members, NAMES, stacking)
    assert stacked.summary == "3 members, stacked" and Predictor(members[:1], ["one"]).summary == "1 member"
    expected = pool(alone.astype(float), np.array([1.5, -0.25, 0.5]), np.array([0.0, -1.0, 0.5]))
    np.testing.assert_allclose(stacked(noise(3)).numpy(), expected, rtol=1e-4)
    np.testing.assert_allclose(Predictor(members, NAMES)(noise(3)).numpy(), alone.mean(axis=0), rtol=1e-5)
    features = members[0].features(noise(3)).contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        assert torch.equal(Predictor(members[:1], ["one"])(noise(3)), members[0].network.folded()(features).exp())
    broken = member(0)
    broken.network.dense[-1].bias.data[0] = torch.inf
    with pytest.raises(RunError, match="one: no finite probabilities"):
        Predictor([broken], ["one"]).predict(noise(1))


def test_stacking_weights_are_loaded_with_the_members_and_exported(tmp_path: Path) -> None:
    write_unequal(tmp_path / "sweep")
    for name in ("avg", "max"):
        folder = write_network(tmp_path / "networks", name, 0)
        (folder / "checkpoints").rename(tmp_path / "sweep" / folder.name / "checkpoints")
    combine(tmp_path / "sweep", combine="stacked")
    checkpoints = sorted(tmp_path.glob("**/last.ckpt"))
    assert (stacked := load_predictor(checkpoints)).summary == "2 members, stacked"
    assert load_predictor(checkpoints[:1]).summary == "1 member"
    path = export(settings_of("export", f"run_dir={tmp_path / 'sweep'}", "format=safetensors"))
    exported = load_predictor([path], "cpu")
    assert exported.summary == stacked.summary and exported.stacking == stacked.stacking
