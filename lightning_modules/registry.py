"""The networks that a setting can name."""

from collections.abc import Callable, Mapping
from typing import Any

from lightning_modules.mac import MAC
from lightning_modules.network import Network
from overlapped_words.errors import SettingError

NETWORKS: dict[str, Callable[..., Network]] = {"mac": MAC}


def build_network(settings: Mapping[str, Any], num_classes: int, in_chans: int) -> Network:
    """Build the network that `settings` describe: `name`, one of NETWORKS, and arguments of that network.

    Raises:
        SettingError: the name is unknown.
    """
    options = dict(settings)
    name = options.pop("name")
    if name not in NETWORKS:
        raise SettingError(f"model.name is {name!r}; choose one of {', '.join(NETWORKS)}")
    return NETWORKS[name](num_classes=num_classes, in_chans=in_chans, **options)
