"""conf/optimizer: how the weights are updated."""

from typing import Annotated

from pydantic.dataclasses import dataclass

from overlapped_words.settings.fields import OPEN, Share, Text, real
from overlapped_words.settings.options import Options


@dataclass(config=OPEN, kw_only=True)
class Optimizer:
    """Any class of torch.optim; the other settings are the arguments of its constructor."""

    name: Text
    """Muon (lightning_modules/muon.py) or a class of torch.optim."""
    lr: Annotated[float, real(above=0)]
    """Learning rate at its peak, see `schedule`."""


@dataclass(config=OPEN, kw_only=True)
class AdamW(Optimizer):
    weight_decay: Annotated[float, real(0)]
    """Decoupled weight decay."""


@dataclass(config=OPEN, kw_only=True)
class SGD(Optimizer):
    momentum: Share
    """Decay of the average of past gradients."""
    weight_decay: Annotated[float, real(0)]
    """L2 penalty."""


@dataclass(config=OPEN, kw_only=True)
class Muon(AdamW):
    """Orthogonalized updates for convolutions, AdamW for all other weights."""

    momentum: Share
    """Decay of the average of past gradients of convolutions."""


AnyOptimizer = Annotated[Optimizer, Options("name", {"AdamW": AdamW, "SGD": SGD, "Muon": Muon})]
