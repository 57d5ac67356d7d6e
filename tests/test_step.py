"""What a GPU needs of a training step: few operations, independent of the batch size, no copies back to the host."""

from collections import Counter
from pathlib import Path

import pytest
from lightning import Callback
from torch.utils._python_dispatch import TorchDispatchMode

from datamodules import features
from overlapped_words.training.components import build_data, build_learner
from overlapped_words.training.trainer import build_trainer
from tests.helpers.composed import settings_of
from tests.helpers.fake_recordings import write_word_folder

# Operations that copy from the device to the host and block the host.
SYNCHRONIZING = {"aten._local_scalar_dense", "aten.nonzero", "aten.item", "aten.is_nonzero", "aten.masked_select"}


class Operations(TorchDispatchMode, Callback):
    """Count the operations dispatched to the device; as a callback, those of each step from the end of a batch."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()
        self.steps: list[Counter[str]] = []

    def on_train_batch_end(self, *_: object) -> None:
        self.steps.append(self.counts)
        self.counts = Counter()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.counts[str(function).rsplit(".", 1)[0]] += function.namespace == "aten"
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize(("precision", "limit"), [("32-true", 700), ("bf16-mixed", 800)])
def test_a_step_of_the_recipe_has_few_operations_and_reads_nothing(precision, limit, tmp_path: Path, monkeypatch):
    """In bf16-mixed, 99 operations cast weights and their gradients."""
    monkeypatch.setattr(features, "VALUES_IN_CACHE", 1 << 40)
    words = write_word_folder(tmp_path / "words", [f"word{i}" for i in range(30)])
    settings = [f"data.root={words}", f"data.cache_dir={tmp_path}", "data.train_size=128", "data.curriculum=0"]
    settings += ["data.val_size=2", "data.test_size=2", f"run_dir={tmp_path}", "member=one", "~logger"]
    settings += ["trainer.accelerator=cpu", f"trainer.precision={precision}", "trainer.max_epochs=1"]
    cfg = settings_of("train", "experiment=best_words", *settings)
    cfg.callbacks = {}
    data = build_data(cfg)
    data.setup()
    trainer = build_trainer(cfg, 1, has_val=False)
    with Operations() as operations:
        trainer.callbacks.append(operations)
        trainer.fit(build_learner(cfg, data.splits), data)
    assert operations.steps[3].total() <= limit
    assert not SYNCHRONIZING & set(operations.steps[3])
