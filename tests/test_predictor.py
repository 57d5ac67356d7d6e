"""How members become one answer: as ensemble.py does it, and over time shifts."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from ensembling.ensemble_file import StackingWeights
from ensembling.stacking import pool
from errors import RunError
from inference.predictor import Predictor, load_ensemble
from lightning_modules.classifier import WordClassifier
from tests.helpers.fake_members import WORDS, write_unequal
from tests.test_ensemble_cli import run as ensemble


def member(seed: int, words: list[str] | None = None) -> WordClassifier:
    """A tiny network of random weights, whose answers differ from clip to clip once its norms have seen some."""
    torch.manual_seed(seed)
    learner = WordClassifier(
        class_names=words or ["a", "b", "c"],
        network={"name": "mac", "pool": "avg", "width": 2},
        features={"sample_rate": 16_000, "n_mels": 48, "hop_length": 320, "pad": 160, "win_lengths": [500, 1000]},
        optimizer={"name": "SGD", "lr": 0.1},
        schedule={"warmup": 0.0, "final": 0.0},
    )
    for module in learner.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            module.momentum = 1.0
    with torch.no_grad():
        learner(learner.features(noise(8)))
    return learner.eval()


def noise(num_clips: int) -> Tensor:
    """Half a second each, at another place in every clip."""
    clips = torch.randn(num_clips, 16_000, generator=torch.Generator().manual_seed(0)) / 10
    places = torch.arange(16_000) - torch.linspace(0, 8_000, num_clips).view(-1, 1)
    return clips * ((places >= 0) & (places < 8_000))


@pytest.fixture(scope="module")
def members() -> list[WordClassifier]:
    return [member(seed) for seed in range(2)]


@pytest.fixture(scope="module")
def waveforms() -> Tensor:
    return noise(3)


def test_the_predictor_pools_as_the_ensemble_does(members: list[WordClassifier], waveforms: Tensor) -> None:
    alone = np.stack([Predictor([one], ["one"])(waveforms).numpy() for one in members])
    weights = {"one": 1.5, "two": -0.25}
    stacking = StackingWeights(weights, {"c": 0.5, "a": 0.0, "b": -1.0}, floor=1e-10, val_kl=0.1, mean_kl=0.2)
    stacked = Predictor(members, ["one", "two"], stacking)
    assert stacked.summary == "2 members, stacked" and Predictor(members[:1], ["one"]).summary == "1 member"
    expected = pool(alone.astype(float), np.array([1.5, -0.25]), np.array([0.0, -1.0, 0.5]))
    np.testing.assert_allclose(stacked(waveforms).numpy(), expected, rtol=1e-4)


def test_time_shifts_are_evenly_spaced_and_cut_at_both_ends(members: list[WordClassifier], waveforms: Tensor) -> None:
    plain = Predictor(members[:1], ["one"])
    later = torch.cat([torch.zeros(3, 400), waveforms[:, :-400]], dim=1)
    sooner = torch.cat([waveforms[:, 400:], torch.zeros(3, 400)], dim=1)
    expected = (plain(later) + plain(waveforms) + plain(sooner)) / 3
    shifted = Predictor(members[:1], ["one"], tta=3)(waveforms)
    torch.testing.assert_close(shifted, expected)
    assert not torch.allclose(shifted, plain(waveforms), atol=1e-3)


def test_no_shift_changes_no_bit(members: list[WordClassifier], waveforms: Tensor) -> None:
    networks = [one.network.folded() for one in members]
    features = members[0].features(waveforms).contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        mean = sum(network(features).exp() for network in networks) / 2
    assert torch.equal(Predictor(members, ["one", "two"], tta=1)(waveforms), mean)


def test_what_ensemble_py_fitted_is_loaded_with_the_members(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_unequal(tmp_path)
    ensemble(tmp_path, combine="stacked")
    monkeypatch.setattr("inference.predictor.load_member", lambda checkpoint: member(0, WORDS))
    checkpoints = [tmp_path / name / "checkpoints" / "last.ckpt" for name in ("avg_seed0", "max_seed0")]
    assert load_ensemble(checkpoints).summary == "2 members, stacked"
    assert load_ensemble(checkpoints[:1], tta=5).summary == "1 member"
    assert load_ensemble(checkpoints[:1], tta=5).shifts == [-400, -200, 0, 200, 400]


@pytest.mark.parametrize("tta", [0, 1.5, "3"])
def test_a_number_of_shifts_that_makes_no_sense(tta: object) -> None:
    with pytest.raises(RunError, match="give a whole number of time shifts from 1 on"):
        load_ensemble([], tta=tta)
