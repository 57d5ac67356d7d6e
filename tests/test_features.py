"""The front end and MAC equal the notebook's code: values in tests/golden.npz, and the full reference if it exists."""

import numpy as np
import pytest
import soundfile
import torch
from torch import nn

from benchmarks import notebook
from datamodules.features import MultiResolutionMel
from lightning_modules.mac import MAC
from overlapped_words.export.portable_features import PortableMel
from tests.helpers.golden import GOLDEN, SHARED, chirp, max_error
from tests.helpers.networks import fill


@pytest.fixture(scope="module")
def front_end() -> MultiResolutionMel:
    return MultiResolutionMel()


def test_chirp_equals_the_notebook(front_end: MultiResolutionMel) -> None:
    features = front_end(torch.from_numpy(chirp())[None])
    assert features.shape == (1, 4, 160, 160) and features.dtype == torch.float32
    assert max_error(features[0, :, :, ::8], torch.from_numpy(GOLDEN["features_chirp"])) < 1e-3


@pytest.mark.parametrize("name", ["noise", "click", "tone", "faint"])
def test_other_waveforms_equal_torchaudio(front_end: MultiResolutionMel, name: str) -> None:
    torch.manual_seed(0)
    waveform = {
        "noise": 0.1 * torch.randn(16_000),
        "click": torch.nn.functional.one_hot(torch.tensor(40), 16_000).float(),  # reaches the reflected edge
        "tone": 0.9 * torch.sin(2 * torch.pi * 440 * torch.arange(16_000) / 16_000),
        "faint": 1e-4 * torch.randn(16_000),
    }[name]
    for mel in (front_end, PortableMel(front_end)):
        assert max_error(mel(waveform[None])[0], notebook.Features()(waveform[None])) < 1e-3


def test_clips_of_a_batch_are_independent_and_autocast_changes_nothing(front_end: MultiResolutionMel) -> None:
    torch.manual_seed(0)
    waveforms = torch.cat([0.1 * torch.randn(4, 16_000), torch.zeros(1, 16_000), torch.from_numpy(chirp())[None]])
    one_by_one = torch.cat([front_end(waveform[None]) for waveform in waveforms])
    torch.testing.assert_close(front_end(waveforms), one_by_one, atol=1e-4, rtol=0)
    slope = torch.linspace(-0.5, 0.5, 160).view(160, 1).expand(4, 160, 160)  # all that silence has
    torch.testing.assert_close(one_by_one[4], slope, atol=1e-5, rtol=0)
    waveform = torch.from_numpy(chirp())[None]
    with torch.autocast("cpu", torch.bfloat16):
        inside = front_end(waveform.clone().requires_grad_())
    assert inside.dtype == torch.float32 and not inside.requires_grad
    assert torch.equal(inside, front_end(waveform))


@pytest.mark.parametrize(
    ("n_fft", "win_lengths", "hop_length", "pad"),
    [(1024, (250, 500, 750, 1000), 200, 50), (600, (401, 600), 300, 0), (405, (100,), 81, 7)],
)
def test_the_portable_front_end_gives_the_same_features(n_fft, win_lengths, hop_length, pad) -> None:
    front_end = MultiResolutionMel(n_fft=n_fft, win_lengths=win_lengths, hop_length=hop_length, pad=pad, n_mels=20)
    torch.manual_seed(0)
    narrowband = torch.fft.rfft(0.1 * torch.randn(16_000))
    narrowband[4_000:] = 0  # above 4 kHz
    waveforms = torch.stack([0.1 * torch.randn(16_000), torch.fft.irfft(narrowband), 1e-4 * torch.randn(16_000)])
    expected, features = front_end(waveforms), PortableMel(front_end)(waveforms)
    assert features.shape == expected.shape
    assert max(max_error(a, b) for a, b in zip(features, expected, strict=True)) < 1e-3


@pytest.mark.skipif(not SHARED.exists(), reason="needs the reference recording")
def test_recording_equals_the_notebook(front_end: MultiResolutionMel) -> None:
    golden = np.load(SHARED / "reference" / "golden.npz")
    waveform, _ = soundfile.read(SHARED / "data/overlap30/Data/test/test_00001.wav", dtype="float32")
    features = front_end(torch.from_numpy(waveform)[None])
    assert max_error(features[0], torch.from_numpy(golden["features_test_00001"])) < 1e-3


@pytest.mark.parametrize("pool", ["avg", "max"])
def test_log_probs_equal_the_notebook(pool: str) -> None:
    noise = np.random.RandomState(0).standard_normal((1, 4, 160, 160)).astype(np.float32)
    expected = [(noise, GOLDEN[f"log_probs_{pool}"])]
    if SHARED.exists():
        golden = np.load(SHARED / "reference" / "golden.npz")
        features = np.stack([golden["features_chirp"], golden["features_test_00001"]])
        expected.append((features, golden[f"log_probs_{pool}"]))
    for features, log_probs in expected:
        with torch.no_grad():
            ours = fill(MAC(pool))(torch.from_numpy(features).contiguous(memory_format=torch.channels_last))
        np.testing.assert_allclose(ours, log_probs, atol=1e-4)


def test_parameters_in_order_any_size_and_log_probs_in_float32() -> None:
    shapes = [str(tuple(parameter.shape)) for parameter in MAC().parameters()]
    assert shapes == list(GOLDEN["parameter_shapes"])
    assert sum(parameter.numel() for parameter in MAC().parameters()) == 1_539_918
    for num_classes, width, in_chans, size in ((2, 4, 1, 64), (35, 8, 4, 160), (300, 2, 3, 96)):
        log_probs = MAC("max", num_classes, width, in_chans)(torch.randn(3, in_chans, size, size))
        assert log_probs.shape == (3, num_classes)
        torch.testing.assert_close(log_probs.exp().sum(dim=1), torch.ones(3))
    with torch.autocast("cpu", torch.bfloat16):
        assert MAC(width=2)(torch.randn(2, 4, 64, 64)).dtype == torch.float32


@pytest.mark.parametrize(("residual", "num_left"), [(False, 4), (True, 15)])  # behind pools; and behind sums
@pytest.mark.parametrize("pool", ["avg", "max"])
def test_folding_changes_nothing(pool: str, residual: bool, num_left: int) -> None:
    torch.manual_seed(0)
    network = fill(MAC(pool, width=4, residual=residual))
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
            module.weight.data.normal_()  # negative ones too
    folded, features = network.folded(), torch.randn(2, 4, 160, 160)
    with torch.no_grad():
        torch.testing.assert_close(folded(features), network(features), atol=1e-5, rtol=1e-4)
    left = sum(isinstance(module, nn.BatchNorm2d) for module in folded.modules())
    assert left == num_left  # of 21


def test_residual_connections_skip_the_blocks() -> None:
    network = MAC(width=4, residual=True)
    stage = network.stages[0]
    for block in list(stage)[1:]:
        nn.init.zeros_(block[2].weight)
        nn.init.zeros_(block[2].bias)
    x = torch.randn(2, 8, 16, 16)
    torch.testing.assert_close(stage(x), stage[0](x))
    assert sum(p.numel() for p in network.parameters()) == sum(p.numel() for p in MAC(width=4).parameters())
