"""Choose the device, the precision, the cache and the CPU threads of a training run.

Another number of threads adds in another order, so the last digits of the results differ.
"""

import logging
import platform
from typing import Any

import torch
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from lightning import Callback

from overlapped_words.errors import SettingError
from overlapped_words.settings.train import Train
from overlapped_words.threads import ThreadTuner, max_threads

log = logging.getLogger("train")


def resolve_auto(cfg: Train) -> None:
    """Replace "auto" in trainer.accelerator, trainer.precision and data.cache by the choice for this machine.

    On CUDA: 16-bit mixed precision, and features computed at every step. Elsewhere: features from disk, and float32, or
    bfloat16 mixed precision on an x86 CPU that has instructions for it (docs/performance.md).

    Raises:
        SettingError: PyTorch finds no such device.
    """
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    gpu = next((name for name in available if available[name]), None)
    chosen = {"auto": gpu or "cpu", "gpu": gpu or "gpu"}
    accelerator = str(cfg.trainer.get("accelerator", "auto"))
    accelerator = cfg.trainer["accelerator"] = chosen.get(accelerator, accelerator)
    if not ({"gpu": False} | available).get(accelerator, True):
        raise SettingError(
            f"trainer.accelerator is {accelerator}, but PyTorch finds no such device; choose cpu or auto"
        )
    if cfg.data.get("cache") == "auto":
        cfg.data["cache"] = "waveforms" if accelerator == "cuda" else "features"
    if cfg.trainer.get("precision") == "auto":
        on_cpu = "bf16-mixed" if accelerator == "cpu" and has_bfloat16() else "32-true"
        cfg.trainer["precision"] = "16-mixed" if accelerator == "cuda" else on_cpu
    precision = cfg.trainer.get("precision", "32-true")
    if precision in ("16-true", "bf16-true", "64-true", "64", 64):
        raise SettingError(f"trainer.precision is {precision}; features are float32, choose auto, 16-mixed or 32-true")


def choose_devices(trainer: dict[str, Any], number: int) -> Any:
    """trainer.devices; for a member on one GPU, the index of that GPU, in turn by the member's number in its sweep.

    Not a setting: a run may resume on another GPU of the machine.
    """
    devices = trainer.get("devices", 1)
    return [number % torch.cuda.device_count()] if trainer["accelerator"] == "cuda" and devices == 1 else devices


def has_bfloat16() -> bool:
    """Whether this is an x86 CPU with instructions for bfloat16: AVX512_BF16 or AMX."""
    x86 = platform.machine() in ("x86_64", "AMD64")
    return x86 and (torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def in_sweep() -> bool:
    """Whether this is a member of a sweep, whose members may train in parallel."""
    return HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN


def fixed_threads(cfg: Train) -> int | None:
    """The setting or, on a CPU in a sweep, 1; None to choose while training."""
    if cfg.threads != "auto":
        return cfg.threads
    return 1 if in_sweep() and cfg.trainer["accelerator"] == "cpu" else None


class TuneThreads(Callback):
    """Train with one thread or with all, whichever is faster. A resumed run continues with the number it had."""

    def __init__(self) -> None:
        self.chosen = 0

    def on_train_start(self, *_: Any) -> None:
        self.tuner = ThreadTuner(max_threads(), self.chosen)

    def on_train_batch_end(self, *_: Any) -> None:
        measuring = self.tuner.measuring
        self.tuner.step()
        if measuring and not self.tuner.measuring:
            log.info("training with %s", self.tuner)

    def state_dict(self) -> dict[str, int]:
        return {"threads": torch.get_num_threads()}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self.chosen = state["threads"]
