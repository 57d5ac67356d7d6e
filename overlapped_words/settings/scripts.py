"""Settings of the scripts that use trained networks: predict.py, export.py, ensemble.py and app.py."""

from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le
from pydantic import model_validator
from pydantic.dataclasses import dataclass
from typing_extensions import Self

from overlapped_words.pretrained import PRETRAINED
from overlapped_words.settings.check import STRICT
from overlapped_words.settings.fields import Count, Device, ExistingFile, ExistingPath, Fraction, Hop, Index, Text


@dataclass(config=STRICT, kw_only=True)
class Trained:
    """Which trained network a script uses: either of two settings, or neither for the network that ships."""

    run_dir: ExistingPath | None
    ckpt_path: ExistingFile | None

    @model_validator(mode="after")
    def check_not_both(self) -> Self:
        if self.run_dir is not None and self.ckpt_path is not None:
            raise ValueError("give either run_dir=FOLDER (a run or a sweep) or ckpt_path=FILE")
        return self

    @property
    def path(self) -> str:
        """The one that is given, or the network that ships."""
        return self.run_dir or self.ckpt_path or str(PRETRAINED)


@dataclass(config=STRICT, kw_only=True)
class Predict(Trained):
    """Recordings to words."""

    input: ExistingPath
    """A recording, a folder of recordings, or a list of them (.txt, one path per line)."""
    output: Text | None
    overwrite: bool
    skip_unreadable: bool
    top: Count
    hop: Hop | None
    events: bool
    threshold: Fraction | None
    plot: bool
    batch_size: Count
    device: Device
    shards: Count
    shard: Index

    @model_validator(mode="after")
    def check_together(self) -> Self:
        if self.shard >= self.shards:
            raise ValueError(
                f"shard is {self.shard}, outside of {self.shards} shards; give one from 0 to {self.shards - 1}"
            )
        if self.shards > 1 and self.output is None:
            raise ValueError(f"{self.shards} shards have no table to be merged into; give output=FILE")
        if self.events and self.hop is not None:
            raise ValueError(
                f"events is true and hop is {self.hop}; leave out hop, the rule of the network has its own"
            )
        if self.threshold is not None and not self.events:
            raise ValueError(f"threshold is {self.threshold}, but only events have one; add events=true")
        if self.plot and (self.loudest or self.shards > 1):
            raise ValueError("plot is true; add events=true or hop=0.25, and leave out shards")
        return self

    @property
    def loudest(self) -> bool:
        """Whether only the loudest second of each recording is used."""
        return self.hop is None and not self.events


@dataclass(config=STRICT, kw_only=True)
class Export(Trained):
    """Checkpoints to one file for other programs, or to a web page."""

    format: Literal["onnx", "web", "safetensors"]
    output: Text | None
    threshold: Fraction | None
    half: bool
    cache_dir: Text


@dataclass(config=STRICT, kw_only=True)
class Ensemble:
    """Combine the members of a sweep into a submission."""

    run_dir: Text
    """Folder of a sweep, outputs/<name>, or of one of its members."""
    expect: Count | None
    combine: Literal["mean", "stacked"]
    partial: bool
    status: bool
    html: bool


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
    record_dir: Text | None
    device: Device
