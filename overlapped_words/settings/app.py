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
    host: Text
    allowed_hosts: list[Text]
    port: Annotated[int, Ge(1), Le(65_535)]
    max_mb: Annotated[int, Ge(1), Le(10_000)]
    max_seconds: Annotated[float, Gt(0), Le(86_400)]
    hop: Hop
    top: Count
    record_dir: Path | None
    device: Device
