"""Choices by device: accelerator, precision, threads and the memory allocator."""

import platform
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf

from overlapped_words import threads
from overlapped_words.errors import SettingError
from overlapped_words.threads import AGAIN, SLOW, TRIAL, WARM_UP, ThreadTuner
from overlapped_words.training import device
from overlapped_words.training.device import TuneThreads, choose_devices, fixed_threads, resolve_auto
from tests.helpers.scripts import fresh


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
    ("num_gpus", "bfloat16", "resolved"),
    [
        (1, True, ("cuda", "16-mixed", "waveforms")),
        (0, True, ("cpu", "bf16-mixed", "features")),
        (0, False, ("cpu", "32-true", "features")),
    ],
    indirect=["num_gpus"],
)
def test_accelerator_precision_and_cache_follow_the_device(num_gpus, bfloat16, resolved, monkeypatch) -> None:
    monkeypatch.setattr(device, "has_bfloat16", lambda: bfloat16)
    cfg = resolve()
    assert (cfg.trainer.accelerator, cfg.trainer.precision, cfg.data.cache) == resolved


@pytest.mark.parametrize("num_gpus", [0], indirect=True)
def test_an_absent_device_is_an_error(num_gpus) -> None:
    for name in ("gpu", "cuda", "mps"):
        with pytest.raises(SettingError, match=f"^trainer.accelerator is {name}, but PyTorch finds no such device; "):
            resolve(name)


def test_which_cpus_compute_bfloat16(monkeypatch) -> None:
    for machine, avx512, amx in (("x86_64", 0, 0), ("x86_64", 1, 0), ("AMD64", 0, 1), ("arm64", 1, 1)):
        monkeypatch.setattr(platform, "machine", lambda machine=machine: machine)
        monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda avx512=avx512: bool(avx512))
        monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda amx=amx: bool(amx))
        assert device.has_bfloat16() == (machine != "arm64" and avx512 + amx > 0), machine


MEASURED = 2 * (WARM_UP + TRIAL) + 1  # steps


@pytest.fixture
def steps(monkeypatch):
    """Run steps whose times depend on the number of threads -> the number of threads after them."""
    monkeypatch.setattr(threads.torch, "set_num_threads", lambda number: state.update(threads=number))
    monkeypatch.setattr(threads.torch, "get_num_threads", lambda: state["threads"])
    monkeypatch.setattr(threads.time, "monotonic", lambda: state["now"])
    state = {"threads": 4, "now": 0.0, "spent": 0.0}

    def run(tuner, number, seconds):
        start = state["now"]
        for _ in range(number):
            state["now"] += seconds[state["threads"]]
            tuner.step()
        return state["threads"], state["now"] - start

    return run


@pytest.mark.parametrize(("seconds", "best"), [({1: 1, 4: 0.5}, 4), ({1: 1, 4: 1.5}, 1)])
def test_the_faster_number_is_chosen(steps, seconds, best):
    tuner = ThreadTuner(4)
    assert steps(tuner, MEASURED, seconds)[0] == best
    assert steps(tuner, 100, seconds) == (best, 100 * seconds[best])
    if best > 1:  # a resumed run would otherwise be in another step when it tries one thread
        assert steps(tuner, 2 * AGAIN, seconds) == (best, 2 * AGAIN * seconds[best])


def test_a_slow_trial_ends_early(steps):
    number, seconds = steps(ThreadTuner(4), MEASURED, {1: 1, 4: 30})
    assert number == 1 and seconds < MEASURED + 2 * 30 + 30


def test_a_busy_machine_is_noticed_and_an_idle_one_later(steps):
    tuner, idle, busy = ThreadTuner(4), {1: 1, 4: 0.5}, {1: 1, 4: 10}
    steps(tuner, MEASURED + TRIAL + 1, idle)
    number, seconds = steps(tuner, 50, busy)
    assert number == 1 and seconds < 50 + 10 * (TRIAL + WARM_UP)
    assert steps(tuner, AGAIN + MEASURED, idle)[0] == 4


def test_an_earlier_choice_is_kept_until_it_is_slow(steps):
    tuner = ThreadTuner(4, threads=4)
    assert steps(tuner, 50, {1: 1, 4: 1.5}) == (4, 75)
    assert steps(tuner, 50, {1: 1, 4: SLOW * 2})[0] == 1


@pytest.mark.parametrize(
    ("threads", "accelerator", "sweep", "expected"),
    [("auto", "cpu", True, 1), ("auto", "cpu", False, None), ("auto", "cuda", True, None), (3, "cpu", True, 3)],
)
def test_one_thread_in_a_sweep_on_a_cpu(monkeypatch, threads, accelerator, sweep, expected):
    monkeypatch.setattr("overlapped_words.training.device.in_sweep", lambda: sweep)
    cfg = SimpleNamespace(threads=threads, trainer={"accelerator": accelerator})
    assert fixed_threads(cfg) == expected


def test_a_resumed_run_keeps_its_number(steps, monkeypatch):
    monkeypatch.setattr("overlapped_words.training.device.max_threads", lambda: 4)
    callback = TuneThreads()
    callback.load_state_dict({"threads": 4})
    callback.on_train_start()
    assert not callback.tuner.measuring and steps(callback.tuner, 20, {1: 1, 4: 2}) == (4, 40)
    assert callback.state_dict() == {"threads": 4}


PAGE_FAULTS = """
import resource, torch
from overlapped_words.allocator import keep_freed_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(5):
        torch.relu(2 * torch.ones(9_000_000))  # 36 MB each
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

given_back = faults()
keep_freed_memory()
for _ in range(3):  # until the free blocks fit
    kept = faults()
print(given_back, kept)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="a setting of glibc")
def test_freed_memory_is_reused() -> None:
    given_back, kept = map(int, fresh("-c", PAGE_FAULTS).stdout.split())
    assert kept < 1_000 < 50_000 < given_back
