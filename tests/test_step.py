"""What a GPU needs of a training step: operations independent of the batch size, no copies back to the host."""

from collections import Counter
from types import SimpleNamespace

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from datamodules import features
from datamodules.overlap import OverlapDataModule
from tests.helpers.data_modules import fit_loop
from tests.helpers.networks import FRONT_END
from tests.helpers.networks import learner as make_learner
from tests.helpers.recipe import winner

# Operations that copy from the device to the host and block the host.
SYNCHRONIZING = {"aten._local_scalar_dense", "aten.nonzero", "aten.item", "aten.is_nonzero", "aten.masked_select"}


class Operations(TorchDispatchMode):
    """Count the operations dispatched to the device."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.counts[str(function).rsplit(".", 1)[0]] += 1
        return function(*args, **(kwargs or {}))


def operations(batch_size: int, waveforms: bool) -> Counter[str]:
    """Count the operations of a step, from the transferred batch to the updated weights."""
    data = OverlapDataModule(source=None, features=FRONT_END, augment=winner(padding=8))
    data.trainer = SimpleNamespace(training=True, global_rank=0, fit_loop=fit_loop(0))
    learner = make_learner()
    learner.log = lambda *args, **kwargs: None
    optimizer = torch.optim.SGD(learner.parameters(), lr=0.1, momentum=0.9)
    clips = torch.zeros(batch_size, 16_000, dtype=torch.int16) if waveforms else torch.zeros(batch_size, 2, 64, 64)
    batch = clips, torch.full((batch_size, 3), 1 / 3)
    with Operations() as counted:
        learner.training_step(data.on_after_batch_transfer(batch, 0), 0).backward()
        optimizer.step()
    return counted.counts


@pytest.mark.parametrize("waveforms", [False, True])
def test_operations_do_not_depend_on_the_batch_size_or_synchronize(waveforms, monkeypatch):
    monkeypatch.setattr(features, "VALUES_IN_CACHE", 1 << 40)  # as on a GPU; a CPU processes chunks
    counts = operations(4, waveforms)
    assert counts == operations(32, waveforms) and not SYNCHRONIZING & set(counts)
