"""The base class of all networks."""

from copy import deepcopy

from torch import nn


class Network(nn.Module):
    """Features `(B, in_chans, F, T)` -> log-probabilities `(B, num_classes)`, float32.

    The constructor takes `num_classes` and `in_chans`, which come from the data, and the settings in `conf/model/`.
    """

    def folded(self) -> "Network":
        """A copy in evaluation mode for prediction. Override it to fold batch norms or the like."""
        return deepcopy(self).eval()
