"""Settings of an object that Hydra makes: a callback, a logger, a transform, a source."""

from pydantic.dataclasses import dataclass

from overlapped_words.settings.fields import OPEN, Target


@dataclass(config=OPEN, kw_only=True)
class Plugin:
    """Any class; the other settings are the arguments of its constructor."""

    _target_: Target
    """The class, package.module.Class."""
