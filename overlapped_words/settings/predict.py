"""Settings of predict.py."""

from pydantic import model_validator
from pydantic.dataclasses import dataclass
from typing_extensions import Self

from overlapped_words.settings.check import STRICT
from overlapped_words.settings.fields import Count, Device, ExistingPath, Fraction, Hop, Index, Path
from overlapped_words.settings.trained import Trained


@dataclass(config=STRICT, kw_only=True)
class Predict(Trained):
    """Recordings to words."""

    input: ExistingPath
    """A recording, a folder of recordings, or a list of them (.txt, one path per line)."""
    output: Path | None
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
        if self.plot and (self.loudest or self.shards > 1):
            raise ValueError("plot is true; add events=true or hop=0.25, and leave out shards")
        return self

    @property
    def loudest(self) -> bool:
        """Whether only the loudest second of each recording is used."""
        return self.hop is None and not self.events
