"""The loss, the metrics and the schedule against independent computations."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from lightning import Trainer
from torch.utils.data import DataLoader

from lightning_modules.outputs import kl_divergence
from lightning_modules.schedules import WarmupCosine, warmup_cosine
from overlapped_words.errors import SettingError
from overlapped_words.settings.saved import upgrade_config
from tests.helpers.data_modules import fit_loop
from tests.helpers.golden import GOLDEN
from tests.helpers.networks import FEATURES, QUIET, TARGETS, learner


def test_kl_by_hand_and_in_float32() -> None:
    targets = torch.tensor([[0.5, 0.5, 0.0], [0.0, 1.0, 0.0]])
    probs = torch.tensor([[0.25, 0.5, 0.25], [0.1, 0.8, 0.1]])
    expected = np.mean([0.5 * np.log(0.5 / 0.25), np.log(1 / 0.8)])
    assert float(kl_divergence(probs.log(), targets)) == pytest.approx(expected, rel=1e-6)
    torch.manual_seed(0)
    log_probs = torch.randn(64, 30).log_softmax(dim=1)
    assert kl_divergence(log_probs.bfloat16(), torch.full((64, 30), 1 / 30)).dtype == torch.float32


def test_learning_rate_equals_the_notebook_within_a_step_and_a_warmup_rises() -> None:
    epochs, steps = 200, 781
    total, peak = epochs * steps, 0.2
    largest_step = peak * np.pi / 2 / total  # the cosine's steepest fall in one step
    rates = [peak * warmup_cosine(epoch * steps / total, 0.0, 1 / 40) for epoch in range(epochs)]
    np.testing.assert_allclose(rates, GOLDEN["learning_rate"], atol=1.01 * largest_step)
    rates = [warmup_cosine(step / 100, 0.2, 0.1) for step in range(101)]
    assert rates[0] == 0 and rates[20] == 1 and rates[100] == pytest.approx(0.1)
    assert all(np.diff(rates[:21]) > 0) and all(np.diff(rates[20:]) < 0)


def configured(**changes: object) -> dict:
    """The optimizer and the schedule of a training run of ten steps."""
    model = learner(**changes)
    model._trainer = SimpleNamespace(estimated_stepping_batches=10, gradient_clip_val=None)
    return model.configure_optimizers()


def test_the_scheduler_steps_every_batch() -> None:
    made = configured()
    assert isinstance(made["lr_scheduler"]["scheduler"], WarmupCosine) and made["lr_scheduler"]["interval"] == "step"
    rates = []
    for _ in range(10):
        rates.append(made["optimizer"].param_groups[0]["lr"])
        made["optimizer"].step()
        made["lr_scheduler"]["scheduler"].step()
    np.testing.assert_allclose(rates, [0.2 * warmup_cosine(i / 10, 0.0, 0.025) for i in range(10)])


OPTIMIZERS = ["AdamW", "SGD", "NAdam", "RMSprop", "RAdam", "Adagrad", "Adadelta", "Rprop", "ASGD"]


@pytest.mark.parametrize(
    ("name", "precision"), [("AdamW", "bf16-mixed"), ("SGD", "bf16-mixed"), *((name, "32-true") for name in OPTIMIZERS)]
)
def test_optimizers_of_torch_train_with_clipped_gradients_in_every_precision(name: str, precision: str) -> None:
    model = learner(optimizer={"_target_": f"torch.optim.{name}", "lr": 0.1})
    trainer = Trainer(max_steps=1, accelerator="cpu", precision=precision, gradient_clip_val=1.0, **QUIET)
    before = model.network.stem.weight.clone()
    trainer.fit(model, DataLoader([(FEATURES, TARGETS)], batch_size=None))
    assert not torch.equal(model.network.stem.weight, before)
    if name in ("AdamW", "SGD"):
        assert trainer.optimizers[0].defaults["fused"] == (precision == "32-true")


@pytest.mark.parametrize("target", ["os.system", "torch.nn.Linear", "lightning_modules.mac.ConvBlock", "nix", None])
def test_a_network_is_a_subclass_of_network_in_lightning_modules(target: str | None) -> None:
    with pytest.raises(SettingError, match="give a subclass of Network in lightning_modules"):
        learner(network={"_target_": target})


@pytest.mark.parametrize("schedule", ["CosineAnnealingLR", "LinearLR", "OneCycleLR"])
def test_schedules_of_torch_get_the_number_of_steps(schedule: str) -> None:
    options = {"max_lr": 0.2} if schedule == "OneCycleLR" else {}
    made = configured(schedule={"_target_": f"torch.optim.lr_scheduler.{schedule}", **options})
    scheduler = made["lr_scheduler"]["scheduler"]
    assert 10 in (getattr(scheduler, name, None) for name in ("T_max", "total_iters", "total_steps"))


def test_an_optimizer_of_earlier_versions_is_upgraded() -> None:
    old = {"optimizer": {"name": "Muon", "lr": 1.0}, "model": {"name": "mac", "pool": "max"}, "schedule": {"warmup": 0}}
    new = upgrade_config(old)
    assert new["optimizer"] == {"_target_": "lightning_modules.muon.Muon", "lr": 1.0}
    assert new["model"] == {"_target_": "lightning_modules.mac.MAC", "pool": "max"}
    assert new["schedule"] == {"_target_": "lightning_modules.schedules.WarmupCosine", "warmup": 0}
    assert upgrade_config(new) == new
    assert upgrade_config({"optimizer": {"name": "NAdam"}})["optimizer"] == {"_target_": "torch.optim.NAdam"}


def test_weights_are_channels_last_and_only_training_uses_the_compiled_step(monkeypatch) -> None:
    convolution = learner().network.stem
    assert convolution.weight.is_contiguous(memory_format=torch.channels_last)
    calls = []

    def compiler(function, mode, dynamic):
        assert (mode, dynamic) == ("default", False)
        return lambda *batch: calls.append(len(batch[0])) or function(*batch)

    monkeypatch.setattr(torch, "compile", compiler)
    model, batch = learner().eval(), (torch.randn(2, 2, 64, 64), torch.full((2, 3), 1 / 3))
    monkeypatch.setattr(model, "log", lambda *_, **__: None)
    names, loss = list(model.state_dict()), model.training_step(batch, 0)
    model.compile_step("default")
    model(batch[0])
    assert not calls and list(model.state_dict()) == names
    assert torch.equal(model.training_step(batch, 0), loss) and calls == [2]


def test_the_dropout_of_a_step_repeats() -> None:
    network = learner(network={"_target_": "lightning_modules.mac.MAC", "width": 2, "drop_rate": 0.5})

    def draw(step: int, seed: int = 7) -> bytes:
        torch.manual_seed(seed)
        network.on_train_start()
        torch.rand(step)  # random numbers of earlier steps
        network._trainer = SimpleNamespace(global_rank=0, fit_loop=fit_loop(step))
        network.on_train_batch_start(None, 0)
        return network.network(torch.ones(8, 2, 64, 64)).detach().numpy().tobytes()

    first = draw(3)
    assert draw(3) == first
    assert len({first, draw(4), draw(3, seed=8)}) == 3
