"""Choose the device, the precision and the cache of a training."""

import logging
import platform
from typing import Any

import torch

from overlapped_words.errors import SettingError
from overlapped_words.settings.train import Train
from overlapped_words.settings.trainer import Trainer

log = logging.getLogger(__name__)

MIXED = ("bf16-mixed", "16-mixed", "bf16", "16", 16)  # on a CPU, Lightning replaces float16 by bfloat16


def resolve_auto(cfg: Train) -> None:
    """Replace "auto" in trainer.accelerator, trainer.precision and data.cache by the choice for this machine.

    On CUDA: 16-bit mixed precision, and features computed at every step. Elsewhere: features from disk, and float32, or
    bfloat16 mixed precision on an x86 CPU that has instructions for it (docs/performance.md).

    Raises:
        SettingError: PyTorch finds no such device.
    """
    trainer = cfg.trainer
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    gpu = next((name for name in available if available[name]), None)
    if trainer.accelerator == "auto":
        trainer.accelerator = gpu or "cpu"  # type: ignore[assignment]
    elif trainer.accelerator == "gpu":
        trainer.accelerator = gpu or "gpu"  # type: ignore[assignment]
    if not ({"gpu": False} | available).get(trainer.accelerator, True):
        raise SettingError(
            f"trainer.accelerator is {trainer.accelerator}, but PyTorch finds no such device; choose cpu or auto"
        )
    on_cuda = trainer.accelerator == "cuda"
    if trainer.precision == "auto":
        on_cpu = trainer.accelerator == "cpu"
        trainer.precision = "16-mixed" if on_cuda else "bf16-mixed" if on_cpu and has_bfloat16() else "32-true"
    if cfg.data.cache == "auto":
        cfg.data.cache = "waveforms" if on_cuda else "features"
    if trainer.accelerator == "cpu" and trainer.precision in MIXED and not computes_bfloat16():
        log.warning(
            "trainer.precision is %s, but this CPU has neither AVX512_BF16 nor AMX; bfloat16 is many times slower than "
            "float32 without them; choose 32-true",
            trainer.precision,
        )


def choose_devices(trainer: Trainer, number: int) -> Any:
    """trainer.devices; for a member on one GPU, the index of that GPU, in turn by the member's number in its sweep.

    Not a setting: a run may resume on another GPU of the machine.
    """
    if trainer.accelerator == "cuda" and trainer.devices == 1:
        return [number % torch.cuda.device_count()]
    return trainer.devices


def computes_bfloat16() -> bool:
    """Whether the CPU computes in bfloat16 at a usable speed; outside of x86, assume that it does."""
    return not on_x86() or has_bfloat16()


def has_bfloat16() -> bool:
    """Whether this is an x86 CPU with instructions for bfloat16: AVX512_BF16 or AMX."""
    return on_x86() and (torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def on_x86() -> bool:
    return platform.machine() in ("x86_64", "AMD64")
