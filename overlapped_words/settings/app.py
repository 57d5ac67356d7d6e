"""Settings of app.py."""

from typing import Annotated

from annotated_types import Ge, Gt, Le
from pydantic.dataclasses import dataclass

from overlapped_words.settings.check import STRICT
from overlapped_words.settings.fields import Count, Device, ExistingPath, Hop, Path, Text


@dataclass(config=STRICT, kw_only=True)
class App:
    """A web page for a network."""

    run_dir: ExistingPath | None
    """A run, a sweep (then the ensemble of its members), or a checkpoint; null: the network that ships."""
    host: Text
    """Address to serve at: 127.0.0.1 for this computer alone, 0.0.0.0 for all that reach it."""
    allowed_hosts: list[Text]
    """Other names that the page is reached by, such as that of a reverse proxy."""
    port: Annotated[int, Ge(1), Le(65_535)]
    """Port to serve at."""
    max_mb: Annotated[int, Ge(1), Le(10_000)]
    """Largest upload."""
    max_seconds: Annotated[float, Gt(0), Le(86_400)]
    """Longest recording."""
    hop: Hop
    """Seconds from one window to the next over time, for networks without events."""
    top: Count
    """Likely words shown."""
    record_dir: Path | None
    """Word folder that the page saves recordings in; null: it saves none."""
    device: Device
    """`auto` takes a GPU where there is one."""
