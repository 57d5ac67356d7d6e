"""The base class of all networks."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from copy import deepcopy

from torch import Tensor, nn

from lightning_modules.outputs import Softmax, WordSets
from overlapped_words.errors import SettingError

MAX_K = 64  # words per clip; memory and time of a distribution over sets grow with its square


class Network(nn.Module, ABC):
    """Features `(B, in_chans, F, T)` -> log-probabilities `(B, num_classes)`, float32.

    A subclass computes `logits`; `output` turns them into log-probabilities and into the loss. Its constructor takes
    `num_classes`, `in_chans` and `k`, which come from the data, and the settings in `conf/model/`. Its last layer has
    `self.output.num_logits` outputs.

    Args:
        num_classes: number of words.
        output: "softmax", or "set" for a distribution over the sets of words of a clip.
        k: minimum and maximum number of words per clip; for "set" only.

    Raises:
        SettingError: an unknown output, or a set without `k`.
    """

    def __init__(self, num_classes: int, output: str = "softmax", k: Sequence[int] | None = None) -> None:
        super().__init__()
        if output not in ("softmax", "set"):
            raise SettingError(f"model.output is {output!r}; choose softmax or set")
        if output == "set" and not (k and len(k) == 2 and 0 <= k[0] <= k[1] <= min(num_classes, MAX_K) and k[1]):
            raise SettingError(
                f"model.output=set needs the number of words per clip, not {k}: a range of 0 to {MAX_K} of the "
                f"{num_classes} words"
            )
        self.output = WordSets(num_classes, k) if output == "set" and k else Softmax(num_classes)

    @abstractmethod
    def logits(self, features: Tensor) -> Tensor:
        """Features `(B, in_chans, F, T)` -> `(B, output.num_logits)`."""

    def forward(self, features: Tensor) -> Tensor:
        return self.output(self.logits(features))

    def folded(self) -> "Network":
        """A copy in evaluation mode for prediction. Override it to fold batch norms or the like."""
        return deepcopy(self).eval()
