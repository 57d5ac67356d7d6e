"""Combine members as ensemble.py does; average over time shifts."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from overlapped_words.ensembling.ensemble_file import StackingWeights
from overlapped_words.ensembling.stacking import pool
from overlapped_words.errors import RunError
from overlapped_words.inference.member import TrainedNetwork
from overlapped_words.inference.predictor import Predictor, load_ensemble
from tests.helpers.fake_members import WORDS, write_unequal
from tests.helpers.networks import SMALLER_FRONT_END, set_norms
from tests.helpers.scripts import combine


def member(seed: int, words: list[str] | None = None) -> TrainedNetwork:
    """A tiny network of random weights, whose probs differ between clips."""
    torch.manual_seed(seed)
    network = TrainedNetwork(
        class_names=words or ["a", "b", "c"],
        network={"name": "mac", "pool": "avg", "width": 2},
        features=SMALLER_FRONT_END,
    )
    set_norms(network.network, network.features(noise(8)))
    return network.eval()


def noise(num_clips: int) -> Tensor:
    """Half a second of noise per clip, at a different position in each."""
    clips = torch.randn(num_clips, 16_000, generator=torch.Generator().manual_seed(0)) / 10
    positions = torch.arange(16_000) - torch.linspace(0, 8_000, num_clips).view(-1, 1)
    return clips * ((positions >= 0) & (positions < 8_000))


@pytest.fixture(scope="module")
def members() -> list[TrainedNetwork]:
    return [member(seed) for seed in range(2)]


@pytest.fixture(scope="module")
def waveforms() -> Tensor:
    return noise(3)


def test_the_predictor_pools_as_the_ensemble_does(members: list[TrainedNetwork], waveforms: Tensor) -> None:
    alone = np.stack([Predictor([one], ["one"])(waveforms).numpy() for one in members])
    weights = {"one": 1.5, "two": -0.25}
    stacking = StackingWeights(weights, {"c": 0.5, "a": 0.0, "b": -1.0}, floor=1e-10, val_kl=0.1, mean_kl=0.2)
    stacked = Predictor(members, ["one", "two"], stacking)
    assert stacked.summary == "2 members, stacked" and Predictor(members[:1], ["one"]).summary == "1 member"
    expected = pool(alone.astype(float), np.array([1.5, -0.25]), np.array([0.0, -1.0, 0.5]))
    np.testing.assert_allclose(stacked(waveforms).numpy(), expected, rtol=1e-4)


def test_time_shifts_are_evenly_spaced_and_cut_at_both_ends(members: list[TrainedNetwork], waveforms: Tensor) -> None:
    plain = Predictor(members[:1], ["one"])
    delayed = torch.cat([torch.zeros(3, 400), waveforms[:, :-400]], dim=1)
    advanced = torch.cat([waveforms[:, 400:], torch.zeros(3, 400)], dim=1)
    expected = (plain(delayed) + plain(waveforms) + plain(advanced)) / 3
    shifted = Predictor(members[:1], ["one"], tta=3)(waveforms)
    torch.testing.assert_close(shifted, expected)
    assert not torch.allclose(shifted, plain(waveforms), atol=1e-3)


def test_one_shift_is_bitwise_the_plain_mean(members: list[TrainedNetwork], waveforms: Tensor) -> None:
    networks = [one.network.folded() for one in members]
    features = members[0].features(waveforms).contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        mean = sum(network(features).exp() for network in networks) / 2
    assert torch.equal(Predictor(members, ["one", "two"], tta=1)(waveforms), mean)


def test_stacking_weights_are_loaded_with_the_members(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_unequal(tmp_path)
    combine(tmp_path, combine="stacked")
    monkeypatch.setattr("overlapped_words.inference.safetensors_file.read_checkpoint", Path)
    monkeypatch.setattr("overlapped_words.inference.predictor.build_member", lambda checkpoint, path: member(0, WORDS))
    checkpoints = [tmp_path / name / "checkpoints" / "last.ckpt" for name in ("avg_seed0", "max_seed0")]
    assert load_ensemble(checkpoints).summary == "2 members, stacked"
    assert load_ensemble(checkpoints[:1], tta=5).summary == "1 member"
    assert load_ensemble(checkpoints[:1], tta=5).shifts == [-400, -200, 0, 200, 400]


@pytest.mark.parametrize("tta", [0, 1.5, "3"])
def test_invalid_numbers_of_shifts_are_errors(tta: object) -> None:
    with pytest.raises(RunError, match="give the number of time shifts, 1 or more"):
        load_ensemble([], tta=tta)
