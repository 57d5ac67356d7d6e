"""The base class of all networks, and how a network is built from settings."""

import inspect
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from copy import deepcopy
from importlib import import_module
from typing import Any, Literal

from torch import Tensor, nn

from lightning_modules.outputs import Softmax, WordSets
from overlapped_words.errors import SettingError
from overlapped_words.settings.saved import upgrade_network

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
        SettingError: a set without `k`, or with numbers of words out of range.
    """

    def __init__(
        self, num_classes: int, output: Literal["softmax", "set"] = "softmax", k: Sequence[int] | None = None
    ) -> None:
        super().__init__()
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


def build_network(settings: Mapping[str, Any], **given: Any) -> Network:
    """The network that settings describe: `_target_`, a class in lightning_modules, and its arguments.

    Settings may come from a stranger's checkpoint, so they can name no other class. Those of earlier versions have
    `name: mac`. `given` are num_classes, in_chans and k, from the data; the constructor gets those that it takes.

    Raises:
        SettingError: another class.
    """
    settings = upgrade_network(settings)
    network = find_network(settings.pop("_target_"))
    parameters = inspect.signature(network).parameters
    return network(**settings, **{name: value for name, value in given.items() if name in parameters})


def find_network(target: object) -> type[Network]:
    """The class that `target` names, a subclass of Network in lightning_modules; SettingError for anything else."""
    match = re.fullmatch(r"(lightning_modules(?:\.\w+)+)\.(\w+)", str(target), re.ASCII)
    try:
        found = match and getattr(import_module(match[1]), match[2])
    except (ImportError, AttributeError):
        found = None
    if not (isinstance(found, type) and issubclass(found, Network)):
        raise SettingError(f"model._target_ is {target!r:.80}; give a subclass of Network in lightning_modules")
    return found
