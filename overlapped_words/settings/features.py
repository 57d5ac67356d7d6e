"""conf/features: the front end, from waveform to mel spectrograms."""

from typing import Annotated, Literal

from pydantic import Field, model_validator
from pydantic.dataclasses import dataclass
from typing_extensions import Self

from overlapped_words.settings.fields import CLOSED, real, whole


@dataclass(config=CLOSED, kw_only=True)
class MultiResolutionMel:
    """One mel spectrogram per window length, all on the same grid of bands and frames."""

    sample_rate: Literal[16000]
    """Hz; recordings are resampled to it."""
    n_fft: Annotated[int, whole(16, 32_768)]
    """Samples, at least the longest window."""
    win_lengths: Annotated[list[Annotated[int, whole(1, 32_768)]], Field(min_length=1, max_length=64)]
    """Samples; one spectrogram each."""
    hop_length: Annotated[int, whole(1, 16_000)]
    """Samples from one frame to the next."""
    pad: Annotated[int, whole(0, 16_000)]
    """Zeros on both sides, in samples."""
    f_min: Annotated[float, real(0, 8000)]
    """Hz, where the lowest band begins."""
    f_max: Annotated[float, real(0, 8000)]
    """Hz, where the highest band ends."""
    n_mels: Annotated[int, whole(1, 1024)]
    """Mel bands, HTK scale."""

    @model_validator(mode="after")
    def check_together(self) -> Self:
        if max(self.win_lengths) > self.n_fft:
            raise ValueError(
                f"n_fft is {self.n_fft}; give at least the longest of win_lengths, {max(self.win_lengths)}"
            )
        if self.f_min >= self.f_max:
            raise ValueError(f"f_min is {self.f_min}; give a frequency below f_max, {self.f_max} Hz")
        return self
