"""Seeds that depend on the training step."""

import numpy as np
from lightning import Trainer


def step_seed(trainer: Trainer, seed: int, *stream: int) -> int:
    """The 32-bit seed of the random draws of a training step; another one on each device and for each `stream`.

    A step is counted by the batches completed before it, from 0 over all epochs. So a resumed run repeats its draws.
    """
    step = trainer.fit_loop.epoch_loop.batch_progress.total.completed
    return int(np.random.SeedSequence([seed, trainer.global_rank, step, *stream]).generate_state(1)[0])
