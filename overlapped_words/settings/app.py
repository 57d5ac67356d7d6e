"""All settings of app.py."""

from typing import Annotated

from pydantic.dataclasses import dataclass

from overlapped_words.settings.fields import CLOSED, Device, Hop, Path, RunPath, Text, real, whole


@dataclass(config=CLOSED, kw_only=True)
class App:
    """A web page for a network."""

    run_dir: RunPath | None
    """The folder of a run, of a sweep (then the ensemble of its members), or a checkpoint; null: the network that comes
    with the project."""
    host: Text
    """Address to serve at: 127.0.0.1 for this computer alone, 0.0.0.0 for all that reach it."""
    port: Annotated[int, whole(1, 65_535)]
    """Port to serve at."""
    max_mb: Annotated[int, whole(1, 10_000)]
    """Largest upload."""
    max_seconds: Annotated[float, real(above=0, most=86_400)]
    """Longest recording."""
    hop: Hop
    """Seconds from one window to the next in longer recordings."""
    top: Annotated[int, whole(1)]
    """Likely words shown."""
    record_dir: Path | None
    """Word folder that the page saves recordings in; null: it saves none."""
    device: Device
    """`auto` takes a GPU where there is one."""
