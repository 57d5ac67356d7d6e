"""What a GPU has to give: the CPU's features, batches and probabilities, and training that is finite and resumes.

`pytest -m gpu` runs it on the GPU, with the winner's network; the other tests run the same code, tiny, on the CPU.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from datamodules.clips import render
from datamodules.features import MultiResolutionMel
from datamodules.mixer import Mixer
from lightning_modules.muon import Muon
from overlapped_words.inference.predictor import load_predictor
from overlapped_words.training.run import train
from tests.helpers.composed import settings_of
from tests.helpers.data_modules import attend, on_competition
from tests.helpers.fake_recordings import speech, write_competition
from tests.helpers.golden import GOLDEN, chirp, max_error
from tests.helpers.small_runs import crash

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)]
# Of the training: clips, steps an epoch, epochs and settings; 200 steps of the recipe on a GPU.
SIZES = {
    "cpu": (12, 3, 4, ["data.batch_size=4", "model.width=2", "features.n_mels=64", "features.hop_length=250"]),
    "cuda": (1280, 10, 20, []),
}


@pytest.fixture(scope="module", params=DEVICES)
def device(request: pytest.FixtureRequest) -> torch.device:
    return torch.device(request.param)


@contextmanager
def no_waiting(device: torch.device) -> Iterator[None]:
    """An operation in here that makes the host wait for the GPU is an error."""
    if device.type == "cpu":
        yield
        return
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_features_mixtures_and_steps_of_muon_equal_the_cpus(device: torch.device) -> None:
    waveforms = torch.from_numpy(np.stack([chirp(), *map(speech, range(8))])).float()
    features = MultiResolutionMel().to(device)(waveforms.to(device))
    assert features.device.type == device.type and features.dtype == torch.float32
    assert max_error(features[0, :, :, ::8].cpu(), torch.from_numpy(GOLDEN["features_chirp"])) < 1e-3
    assert max(map(max_error, features.cpu(), MultiResolutionMel()(waveforms))) < 1e-3
    words = np.stack([np.round(speech(seed) * 32768) for seed in range(6)]).astype(np.int16)
    for speed in (0.0, 0.2):
        mixer = Mixer([np.array([2 * i, 2 * i + 1]) for i in range(3)], k=(2, 3), speeds=[speed] * 3)
        mixtures, index = mixer.draw(16, np.random.default_rng(0)), np.arange(3, 11)
        there = torch.from_numpy(words).to(device)
        with no_waiting(device):
            mixed = render(there, mixtures, index)
        torch.testing.assert_close(mixed.cpu(), render(words, mixtures, index), rtol=1e-4, atol=1e-4)

    def stepped(place: torch.device | str) -> list[Tensor]:
        torch.manual_seed(0)
        params = []
        for shape in ((6, 4, 3, 3), (6, 6, 1, 1), (4, 6, 3, 3), (4,)):
            params.append(torch.nn.Parameter(torch.randn(shape).to(place)))
            params[-1].grad = torch.randn(shape).to(place)
        optimizer = Muon(params, lr=0.01, weight_decay=0.05, momentum=0.95, fused=True)
        with no_waiting(torch.device(place)):
            optimizer.step()
        return [param.detach().cpu() for param in params]

    for param, wanted in zip(stepped(device), stepped("cpu"), strict=True):
        torch.testing.assert_close(param, wanted, rtol=1e-4, atol=1e-5)


def test_a_step_of_data_never_waits(device: torch.device, competition: Path, tmp_path: Path) -> None:
    data = attend(on_competition(competition, tmp_path / "cache", device_cache="waveforms"))
    data.trainer.strategy = SimpleNamespace(root_device=device)
    batches = iter(data.train_dataloader())
    data.on_after_batch_transfer(next(batches), 0)  # moves the windows and filters there
    with no_waiting(device):
        features, targets = data.on_after_batch_transfer(next(batches), 0)
    assert features.shape == (4, 4, 160, 160) and features.isfinite().all()
    assert features.device.type == targets.device.type == device.type


def fit(device: torch.device, root: Path, *overrides: str) -> pd.DataFrame:
    """`experiment=winner` on the competition in `root` -> its table of epochs; the run's folder is `root/run`."""
    run_dir = root / "run"
    settings = [f"data.root={root}", f"data.cache_dir={root / 'cache'}", "name=gpu", f"run_dir={run_dir}"]
    settings += [f"trainer.accelerator={device.type}", "callbacks.dashboard=null"]
    _, _, epochs, sizes = SIZES[device.type]
    settings += [*sizes, f"trainer.max_epochs={epochs}", *overrides]
    settings += ["trainer.precision=32-true"] * (device.type == "cpu")  # so few steps need all digits
    cfg = settings_of("train", "experiment=winner", *settings)
    train(cfg)
    precision = {"cpu": "32-true", "cuda": "16-mixed"}
    assert cfg.trainer["precision"] == precision[device.type]
    return pd.read_csv(run_dir / "metrics.csv")


def test_the_winners_recipe_is_finite_resumes_and_predicts_as_on_the_cpu(device: torch.device, tmp_path: Path) -> None:
    size, steps, epochs, _ = SIZES[device.type]
    root = write_competition(tmp_path, size)
    with pytest.raises(RuntimeError, match="crashed on purpose"):
        fit(device, root, crash(epochs // 2, root / "crashed"))
    before = pd.read_csv(root / "run" / "metrics.csv")
    assert list(before.epoch) == list(range(epochs // 2))
    table = fit(device, root, crash(epochs // 2, root / "crashed"))
    pd.testing.assert_frame_equal(table[: epochs // 2], before)
    assert list(table.step) == list(range(steps, steps * epochs + 1, steps))
    run_dir = root / "run"
    assert np.isfinite(table["train/loss"]).all()
    assert table["train/loss"].iloc[-1] < table["train/loss"].iloc[0]
    weights = torch.load(run_dir / "checkpoints" / "last.ckpt", weights_only=True, map_location="cpu")["state_dict"]
    assert all(weight.isfinite().all() for weight in weights.values())
    clips = np.stack([np.round(speech(seed) * 32768) for seed in range(5)]).astype(np.int16)
    checkpoint = [run_dir / "checkpoints" / "last.ckpt"]
    reference = load_predictor(checkpoint, "cpu").predict_clips(clips).probs
    predictor = load_predictor(checkpoint, device)
    # Convolutions may round to TF32.
    np.testing.assert_allclose(predictor.predict_clips(clips).probs, reference, atol=1e-2)
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        np.testing.assert_allclose(predictor.predict_clips(clips).probs, reference, atol=1e-3)
    written = pd.read_csv(run_dir / "predictions.csv").iloc[:, 1:]
    np.testing.assert_allclose(written.sum(axis=1), 1, atol=1e-5)
