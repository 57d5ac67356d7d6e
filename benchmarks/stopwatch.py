"""A callback that measures the speed of a training run and profiles its steps."""

import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from lightning import Callback, LightningModule, Trainer
from lightning.pytorch.profilers import Profiler
from torch.autograd.profiler import record_function
from torch.profiler import profile

from benchmarks.trace import Steps, read_steps

# Suffix of Lightning's action name -> phase.
PHASES = {
    "train_dataloader_next": "loading",
    "batch_to_device": "loading",
    "training_step": "forward",
    ".backward": "backward",
    "optimizer_step": "optimizer",
}


class Measured(Exception):
    """Raised to end a training run once it is measured; `row` holds the result."""

    def __init__(self, row: dict[str, float]) -> None:
        super().__init__(row)
        self.row = row


class Ranges(Profiler):
    """Mark the phases of a step in torch.profiler traces."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[record_function] = []

    def start(self, action_name: str) -> None:
        if phase := _phase(action_name):
            self.open.append(record_function(phase))
            self.open[-1].__enter__()

    def stop(self, action_name: str) -> None:
        if _phase(action_name):
            self.open.pop().__exit__(None, None, None)


def _phase(action: str) -> str | None:
    return next((phase for end, phase in PHASES.items() if action.endswith(end)), None)


class Stopwatch(Callback):
    """Raise `Measured` after `warm_up` steps, `seconds` of measurement and `profiled` profiled steps.

    The row contains clips_per_s, ms_per_step, gpu_busy (the fraction of the step time in which the device is busy), the
    fractions of that busy time per phase (forward, backward, optimizer, features, augmentation, loading including
    mixing), and memory_gb (peak, including clips stored in GPU memory).
    """

    def __init__(self, seconds: float, warm_up: int = 30, profiled: int = 10) -> None:
        self.seconds, self.warm_up, self.profiled, self.steps, self.clips = seconds, warm_up, profiled, 0, 0
        self.start: float | None = None
        self.row: dict[str, float] = {}
        self.profiler: profile | None = None

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self.steps += 1
        if self.profiler is not None:
            if self.steps == self.profiled:
                raise Measured(self.row | self._read_profile())
        elif self.start is None:
            if self.steps >= self.warm_up:
                synchronize()
                self.start, self.steps = time.perf_counter(), 0
        else:
            self.clips += len(batch[1])
            if time.perf_counter() - self.start > self.seconds:
                synchronize()
                elapsed = time.perf_counter() - self.start
                self.row = {"clips_per_s": self.clips / elapsed, "ms_per_step": 1000 * elapsed / self.steps}
                if torch.cuda.is_available():
                    self.row["memory_gb"] = torch.cuda.max_memory_allocated() / 1e9
                self._start_profile(trainer)

    def _start_profile(self, trainer: Trainer) -> None:
        trainer.profiler = Ranges()  # type: ignore[attr-defined]
        data = trainer.datamodule  # type: ignore[attr-defined]
        for name, module in (("features", data.features), ("augmentation", data.augment)):
            _name_range(module, name)
        self.profiler, self.steps = profile(), 0
        self.profiler.start()

    def _read_profile(self) -> dict[str, float]:
        assert self.profiler is not None
        try:
            steps = stop_profile(self.profiler, [*PHASES.values(), "features", "augmentation"])
        except Exception as error:  # keep the measured speed even if profiling fails
            print(f"no profile: {error!r}")
            return {}
        return {"gpu_busy": min(1.0, steps.busy / self.profiled / 1000 / self.row["ms_per_step"]), **steps.shares}


def _name_range(module: torch.nn.Module, name: str) -> None:
    open_ranges: list[record_function] = []

    def enter(*_: Any) -> None:
        open_ranges.append(record_function(name))
        open_ranges[-1].__enter__()

    def leave(*_: Any) -> None:
        open_ranges.pop().__exit__(None, None, None)

    module.register_forward_pre_hook(enter)
    module.register_forward_hook(leave)


def synchronize() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def stop_profile(profiler: profile, phases: Sequence[str]) -> Steps:
    """Stop a running profiler and read its trace, see `read_steps`."""
    synchronize()
    profiler.stop()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "trace.json"
        profiler.export_chrome_trace(str(file))
        return read_steps(file, phases, torch.cuda.is_available())


def busy_share(step: Callable[[], Any], ms_per_step: float, profiled: int = 10) -> float:
    """The fraction of the time of `step()` in which the device is busy."""
    profiler = profile()
    profiler.start()
    for _ in range(profiled):
        with record_function("step"):
            step()
    return min(1.0, stop_profile(profiler, ["step"]).busy / profiled / 1000 / ms_per_step)
