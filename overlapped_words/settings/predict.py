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
    """The table (CSV); null: predictions.csv, timeline.csv or events.csv; none for the words of one recording."""
    overwrite: bool
    """Replace an output that exists, which is an error otherwise."""
    skip_unreadable: bool
    """Leave out recordings that cannot be read, and name them, instead of an error."""
    top: Count
    """Likely words shown for one recording."""
    hop: Hop | None
    """Seconds from one window to the next in long recordings; null takes one second of each recording."""
    events: bool
    """Find when which word was spoken."""
    threshold: Fraction | None
    """Probability of an event; null takes that of the network's rule."""
    plot: bool
    """Draw each timeline, with its events."""
    batch_size: Count
    """Windows or clips per step."""
    device: Device
    """`auto` takes a GPU where there is one."""
    shards: Count
    """Parts to predict the input in."""
    shard: Index
    """Which of the parts, from 0 on."""

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
