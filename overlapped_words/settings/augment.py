"""conf/augment: what is done to a training batch."""

from typing import Annotated

from pydantic import model_validator
from pydantic.dataclasses import dataclass
from typing_extensions import Self

from overlapped_words.settings.fields import CLOSED, Fraction, pair, real, whole
from overlapped_words.settings.options import Options
from overlapped_words.settings.plugin import Plugin

Scale = Annotated[float, real(0, 4)]
Width = Annotated[int, whole(0, 10_000)]
Times = Annotated[int, whole(0, 100)]


@dataclass(config=CLOSED, kw_only=True)
class SpecAugment(Plugin):
    """Masks bands of frequency and stretches of time."""

    freq_mask_param: Width
    """Bands; the width of a mask is below it."""
    time_mask_param: Width
    """Frames; the width of a mask is below it."""
    freq_masks: Times
    """Masks over frequency."""
    time_masks: Times
    """Masks over time."""


@dataclass(config=CLOSED, kw_only=True)
class RandomCrop(Plugin):
    """Pads with zeros and crops at a random offset."""

    padding: Annotated[int, whole(1, 1000)]
    """Bands and frames on each side."""


@dataclass(config=CLOSED, kw_only=True)
class RandomWarp(Plugin):
    """Stretches and shifts both axes of the features."""

    freq_scale: Scale
    """Up to this share wider or narrower over frequency."""
    time_scale: Scale
    """Up to this share longer or shorter."""
    freq_shift: Fraction
    """Fraction of the frequency axis."""
    time_shift: Fraction
    """Fraction of the time axis."""


@dataclass(config=CLOSED, kw_only=True)
class AddNoise(Plugin):
    """White to brown noise on waveforms."""

    snr_db: Annotated[list[float], pair(real(-100, 100), "give two numbers from -100 to 100, [least, most]")]
    """Signal-to-noise ratio in dB, uniform between the two."""
    p: Fraction
    """Probability that a clip gets noise."""


@dataclass(config=CLOSED, kw_only=True)
class Mixup(Plugin):
    """Mixes a clip with another training clip, features and targets alike."""

    p: Fraction
    """Probability that a clip is mixed."""
    low: Fraction
    """Least weight of the other clip."""
    high: Fraction
    """Largest weight of the other clip."""

    @model_validator(mode="after")
    def check_order(self) -> Self:
        if self.low > self.high:
            raise ValueError(f"low is {self.low}; give at most high, {self.high}")
        return self


TRANSFORMS = {
    f"datamodules.augment.{option.__name__}": option
    for option in (SpecAugment, RandomCrop, RandomWarp, AddNoise, Mixup)
}
Transform = Annotated[Plugin, Options("_target_", TRANSFORMS)]


@dataclass(config=CLOSED, kw_only=True)
class Augment(Plugin):
    """Transforms of waveforms, then of features, in this order; then mixup."""

    waveforms: list[Transform] | None = None
    """Transforms of waveforms `(B, T)`; with any, features are computed at every step."""
    transforms: list[Transform]
    """Transforms of features `(B, C, F, T)`."""
    mixup: Transform | None = None
    """Mixes the transformed clips with clips that are not transformed."""


AnyAugment = Annotated[Plugin, Options("_target_", {"datamodules.augment.Augment": Augment})]
