"""conf/model: the network. The number of classes is read from the data, the number of channels from the features."""

from typing import Annotated, Literal

from pydantic.dataclasses import dataclass

from overlapped_words.settings.fields import CLOSED, OPEN, Flag, Share, Text, whole
from overlapped_words.settings.options import Options


@dataclass(config=OPEN, kw_only=True)
class Model:
    """Any network; the other settings are the arguments of its constructor."""

    name: Text
    """One of NETWORKS in lightning_modules/registry.py."""
    pool: Text
    """Which of two kinds of pooling; also names the member's folder."""


@dataclass(config=CLOSED, kw_only=True)
class MAC(Model):
    """The winning network."""

    pool: Literal["avg", "max"]
    """Every pool of the network is an average or a maximum."""
    width: Annotated[int, whole(1, 512)]
    """Channels of the first stage; all other widths are multiples of it."""
    drop_rate: Share
    """Dropout before the last layer."""
    residual: Flag
    """Residual connections in the stages."""
    freq_bins: Annotated[int, whole(1, 32)]
    """Frequency bins that the global pool keeps."""
    time_pools: Annotated[int, whole(0, 4)]
    """How many of the four pools between the stages halve the time axis, too; all halve the frequency axis."""
    output: Literal["softmax", "set"]
    """A softmax over the words, or a distribution over sets of words; a set needs targets of equal shares."""


Network = Annotated[Model, Options("name", {"mac": MAC})]
