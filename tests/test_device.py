"""Choices by device, and errors about it."""

import logging
import platform
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf

from overlapped_words.errors import SettingError
from overlapped_words.training import device
from overlapped_words.training.device import choose_devices, resolve_auto


def resolve(accelerator: str = "auto", precision: str = "auto", devices: int | str = 1) -> Any:
    trainer = {"accelerator": accelerator, "devices": devices, "precision": precision}
    cfg: Any = OmegaConf.create({"trainer": trainer, "data": {"cache": "auto"}})
    resolve_auto(cfg)
    return cfg


@pytest.fixture
def num_gpus(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: request.param > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: request.param)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


@pytest.mark.parametrize(
    ("number", "num_gpus", "accelerator", "devices", "chosen"),
    [
        (0, 4, "auto", 1, [0]),
        (3, 4, "gpu", 1, [3]),
        (6, 4, "auto", 1, [2]),
        (6, 1, "auto", 1, [0]),
        (6, 4, "auto", 2, 2),
        (6, 4, "auto", "auto", "auto"),
        (6, 4, "cpu", 1, 1),
        (6, 0, "auto", 1, 1),
    ],
    indirect=["num_gpus"],
)
def test_members_take_the_gpus_of_a_machine_in_turn(num_gpus, number, accelerator, devices, chosen) -> None:
    cfg = resolve(accelerator, devices=devices)
    assert choose_devices(cfg.trainer, number) == chosen and cfg.trainer.devices == devices


@pytest.mark.parametrize(
    ("num_gpus", "accelerator", "bfloat16", "precision", "cache"),
    [
        (1, "cuda", True, "16-mixed", "waveforms"),
        (0, "cpu", True, "bf16-mixed", "features"),
        (0, "cpu", False, "32-true", "features"),
    ],
    indirect=["num_gpus"],
)
def test_accelerator_precision_and_cache_follow_the_device(
    num_gpus, accelerator, bfloat16, precision, cache, monkeypatch
) -> None:
    monkeypatch.setattr(device, "has_bfloat16", lambda: bfloat16)
    cfg = resolve()
    resolved = cfg.trainer.accelerator, cfg.trainer.precision, cfg.data.cache
    assert resolved == (accelerator, precision, cache)


@pytest.mark.parametrize("num_gpus", [0], indirect=True)
@pytest.mark.parametrize("accelerator", ["gpu", "cuda", "mps"])
def test_an_absent_device_is_an_error(num_gpus, accelerator) -> None:
    with pytest.raises(
        SettingError, match=f"^trainer.accelerator is {accelerator}, but PyTorch finds no such device; "
    ):
        resolve(accelerator)


@pytest.mark.parametrize(
    ("num_gpus", "accelerator", "precision", "bfloat16", "warns"),
    [
        (0, "auto", "bf16-mixed", False, True),
        (0, "auto", "16-mixed", False, True),
        (1, "cpu", "bf16-mixed", False, True),
        (0, "auto", "bf16-mixed", True, False),
        (0, "auto", "auto", False, False),
        (1, "auto", "bf16-mixed", False, False),
    ],
    indirect=["num_gpus"],
)
def test_bfloat16_without_instructions_for_it_is_a_warning(
    num_gpus, accelerator, precision, bfloat16, warns, monkeypatch, caplog
) -> None:
    monkeypatch.setattr(device, "has_bfloat16", lambda: bfloat16)
    monkeypatch.setattr(device, "on_x86", lambda: True)
    with caplog.at_level(logging.WARNING):
        resolve(accelerator, precision)
    assert (f"trainer.precision is {precision}, but this CPU has neither AVX512_BF16 nor AMX" in caplog.text) == warns


@pytest.mark.parametrize(
    ("machine", "avx512", "amx", "instructions", "usable"),
    [
        ("x86_64", False, False, False, False),
        ("x86_64", True, False, True, True),
        ("AMD64", False, True, True, True),
        ("arm64", False, False, False, True),
    ],
)
def test_which_cpus_compute_bfloat16(machine, avx512, amx, instructions, usable, monkeypatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: machine)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx512)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    assert (device.has_bfloat16(), device.computes_bfloat16()) == (instructions, usable)
