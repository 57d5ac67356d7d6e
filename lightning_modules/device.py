"""What a training runs on, in which precision, and where its features come from."""

import logging
import platform
from typing import TYPE_CHECKING

import torch

from errors import SettingError

if TYPE_CHECKING:
    from settings.train import Train

log = logging.getLogger(__name__)

MIXED = ("bf16-mixed", "16-mixed", "bf16", "16", 16)  # on a CPU Lightning takes bfloat16 for float16


def resolve_auto(cfg: "Train", number: int) -> None:
    """Replace each "auto" by the choice for the device, and choose the GPU of a member that needs one.

    On CUDA: 16-bit mixed precision, and features computed at every step. Elsewhere: float32, and features from disk.
    `number` is the member's in its sweep.

    Raises:
        SettingError: there is no such device.
    """
    accelerator = cfg.trainer.accelerator
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    there["gpu"] = any(there.values())
    if not there.get(accelerator, True):
        raise SettingError(
            f"trainer.accelerator is {accelerator}, but PyTorch finds no such device; choose cpu or auto"
        )
    cuda = accelerator in ("auto", "gpu", "cuda") and there["cuda"]
    if cfg.trainer.precision == "auto":
        cfg.trainer.precision = "16-mixed" if cuda else "32-true"
    if cfg.data.cache == "auto":
        cfg.data.cache = "waveforms" if cuda else "features"
    if cuda and cfg.trainer.devices == 1:
        cfg.trainer.devices = [number % torch.cuda.device_count()]
    on_cpu = accelerator == "cpu" or (accelerator == "auto" and not there["gpu"])
    if on_cpu and cfg.trainer.precision in MIXED and not computes_bfloat16():
        log.warning(
            "trainer.precision is %s, but this CPU has neither AVX512_BF16 nor AMX; bfloat16 is many times slower than "
            "float32 without them; choose 32-true",
            cfg.trainer.precision,
        )


def computes_bfloat16() -> bool:
    """Whether the CPU has instructions for bfloat16; as far as known, outside of x86."""
    if platform.machine() not in ("x86_64", "AMD64"):
        return True
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
