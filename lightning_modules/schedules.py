"""Learning rate schedules. The learner also takes those of torch.optim.lr_scheduler; all are stepped at every batch."""

import math

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from overlapped_words.settings.fields import Fraction, Share


class WarmupCosine(LambdaLR):
    """A linear rise from zero to the optimizer's learning rate, then one cosine down.

    Args:
        optimizer: its learning rate is the peak.
        total_steps: steps of the training run.
        warmup: fraction of the steps in which it rises.
        final: where it ends, as a fraction of the peak.

    Source: the winning notebook has the cosine, with `final` 1 / 40, and no warmup.
    """

    def __init__(self, optimizer: Optimizer, total_steps: int, warmup: Share, final: Fraction) -> None:
        super().__init__(optimizer, lambda step: warmup_cosine(step / total_steps, warmup, final))


def warmup_cosine(progress: float, warmup: float, final: float) -> float:
    """Learning rate factor at `progress` (0 to 1) through all steps: linear warmup, then one cosine to `final`."""
    if progress < warmup:
        return progress / warmup
    phase = min((progress - warmup) / (1 - warmup), 1.0)
    return final + (1 - final) * (1 + math.cos(math.pi * phase)) / 2
