"""The number of CPU threads of a run."""

from typing import Any, Literal

import torch
from lightning import Callback

from overlapped_words.threads import ThreadTuner, max_threads


class Threads(Callback):
    """Set the number of threads before training, or choose it while training.

    Args:
        threads: the setting; "auto": one in a sweep, whose members train in parallel, otherwise what is faster.
        in_sweep: whether this is a member of a sweep.

    Another number of threads adds in another order, so the last digits of the results differ. A resumed run continues
    with its number.
    """

    def __init__(self, threads: int | Literal["auto"], in_sweep: bool) -> None:
        self.given = 1 if threads == "auto" and in_sweep else threads
        self.chosen = 0

    def on_train_start(self, *_: Any) -> None:
        if self.given == "auto":
            self.tuner = ThreadTuner(max_threads(), self.chosen)
        else:
            torch.set_num_threads(self.given)

    def on_train_batch_end(self, *_: Any) -> None:
        if self.given == "auto":
            self.tuner.step()

    def state_dict(self) -> dict[str, int]:
        return {"threads": torch.get_num_threads()}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self.chosen = state["threads"]
