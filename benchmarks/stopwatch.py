"""The callback that measures a training from inside: its rate, and what its steps are made of."""

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

# Ends of Lightning's names for what it does -> ours.
PHASES = {
    "train_dataloader_next": "loading",
    "batch_to_device": "loading",
    "training_step": "forward",
    ".backward": "backward",
    "optimizer_step": "optimizer",
}


class Measured(Exception):
    """The training is over because it has been measured; `row` holds what was found."""

    def __init__(self, row: dict[str, float]) -> None:
        super().__init__(row)
        self.row = row


class Ranges(Profiler):
    """Names the phases of a step in the traces of torch.profiler."""

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
    """Ends a training with `Measured` after `warm_up` steps, `seconds` of measurement and `profiled` steps.

    The row has clips_per_s, ms_per_step, gpu_busy (the share of a step's time in which the device works), of that work
    the shares of forward, backward, optimizer, features, augmentation and loading (mixing included), and memory_gb (at
    its peak, with the clips that are kept in the GPU's memory).
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
        except Exception as error:  # the rate is measured, whatever becomes of the profile
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
    """End a profile that was started -> what it holds, see `read_steps`."""
    synchronize()
    profiler.stop()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "trace.json"
        profiler.export_chrome_trace(str(file))
        return read_steps(file, phases, torch.cuda.is_available())


def busy_share(step: Callable[[], Any], ms_per_step: float, profiled: int = 10) -> float:
    """Of a step that is a function: the share of its time in which the device works."""
    profiler = profile()
    profiler.start()
    for _ in range(profiled):
        with record_function("step"):
            step()
    return min(1.0, stop_profile(profiler, ["step"]).busy / profiled / 1000 / ms_per_step)
