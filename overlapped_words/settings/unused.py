"""A warning for each setting of the command line that has no effect in this run."""

import logging
from typing import Any

from hydra.core.hydra_config import HydraConfig

log = logging.getLogger(__name__)


def warn_unused(settings: Any) -> None:
    """Log the overrides of this job, other than those of its experiment, that `settings` make useless."""
    overrides = HydraConfig.get().overrides.task
    given = [override.lstrip("+~").partition("=")[0] for override in overrides]
    for unused, reason in settings.unused():
        for name in given:
            if f"{name}.".startswith(f"{unused}."):
                log.warning("%s has no effect: %s", name, reason)
