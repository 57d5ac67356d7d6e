"""Noise with a power that falls with frequency."""

import torch
from torch import Generator, Tensor


def colored_noise(exponents: Tensor, length: int, generator: Generator | None = None) -> Tensor:
    """Noise whose power falls with frequency as f^-a: exponents a `(B, 1)` -> `(B, length)`, of any level.

    0 is white noise, 1 pink, 2 brown.
    """
    shape = (exponents.shape[0], length)
    spectrum = torch.fft.rfft(torch.randn(shape, device=exponents.device, generator=generator))
    frequency = torch.arange(spectrum.shape[1], device=exponents.device).clamp(min=1)
    return torch.fft.irfft(spectrum * frequency ** (-exponents / 2), n=length)
