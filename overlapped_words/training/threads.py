"""The number of CPU threads of a run.

Another number of threads adds in another order, so the last digits of the results differ.
"""

import logging
from typing import Any

import torch
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from lightning import Callback

from overlapped_words.settings.train import Train
from overlapped_words.threads import ThreadTuner, max_threads

log = logging.getLogger("train")


def in_sweep() -> bool:
    """Whether this is a member of a sweep, whose members may train in parallel."""
    return HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN


def fixed_threads(cfg: Train) -> int | None:
    """The setting or, on a CPU in a sweep, 1; None to choose while training."""
    if cfg.threads != "auto":
        return cfg.threads
    return 1 if in_sweep() and cfg.trainer["accelerator"] == "cpu" else None


class TuneThreads(Callback):
    """Train with one thread or with all, whichever is faster. A resumed run continues with the number it had."""

    def __init__(self) -> None:
        self.chosen = 0

    def on_train_start(self, *_: Any) -> None:
        self.tuner = ThreadTuner(max_threads(), self.chosen)

    def on_train_batch_end(self, *_: Any) -> None:
        measuring = self.tuner.measuring
        self.tuner.step()
        if measuring and not self.tuner.measuring:
            log.info("training with %s", self.tuner)

    def state_dict(self) -> dict[str, int]:
        return {"threads": torch.get_num_threads()}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self.chosen = state["threads"]
