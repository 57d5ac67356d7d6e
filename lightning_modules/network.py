"""The base class of all networks."""

from copy import deepcopy

from torch import nn


class Network(nn.Module):
    """Features `(B, in_chans, F, T)` -> log-probabilities `(B, num_classes)`, float32.

    Its constructor takes `num_classes` and `in_chans`, which are read from the data, and settings of `conf/model/`.
    """

    def folded(self) -> "Network":
        """A copy for prediction, in evaluation mode; a network that can be made faster then says how."""
        return deepcopy(self).eval()
