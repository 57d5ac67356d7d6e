"""Read the time per phase of a training step from a torch.profiler trace in Chrome format."""

import json
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

DEVICE = ("kernel", "gpu_memcpy", "gpu_memset")  # categories of work on the GPU
LAUNCH = ("cuda_runtime", "cuda_driver")  # categories of the calls that launch it


class Work(NamedTuple):
    """One operation on the device: start and end (us), and the host thread and time (us) that launched it."""

    start: float
    end: float
    thread: Any
    launched: float


class Steps(NamedTuple):
    """busy: time in which the device was busy (us); shares: fraction of the work per phase."""

    busy: float
    shares: dict[str, float]


def read_steps(file: Path, phases: Iterable[str], on_gpu: bool) -> Steps:
    """Read a trace; each operation belongs to the innermost range in `phases` that launched it.

    Operations launched by another thread count as "backward", because autograd uses its own thread on CUDA. On a CPU,
    the outermost operations of each thread are counted.

    Raises:
        ValueError: the trace contains no operations, which happens if the profiler lacks permission to see GPU kernels.
    """
    events = [event for event in json.loads(file.read_text())["traceEvents"] if event.get("ph") == "X"]
    names = set(phases)
    ranges = [e for e in events if e.get("cat") == "user_annotation" and e["name"] in names]
    main = Counter(e["tid"] for e in ranges).most_common(1)[0][0]
    find = _Ranges([(e["ts"], e["ts"] + e["dur"], e["name"]) for e in ranges if e["tid"] == main])
    work = _device_work(events) if on_gpu else _cpu_work(events)
    if not work:
        raise ValueError(f"{file}: the trace contains no operations on the device")
    durations: dict[str, float] = defaultdict(float)
    for piece in work:
        phase = find(piece.launched) if piece.thread == main else "backward"
        durations[phase] += piece.end - piece.start
    total = sum(durations.values())
    return Steps(_union(work), {phase: duration / total for phase, duration in durations.items()})


def _device_work(events: list[dict]) -> list[Work]:
    launches = {e["args"]["correlation"]: e for e in events if e.get("cat") in LAUNCH and "correlation" in e["args"]}
    work = []
    for e in events:
        if e.get("cat") in DEVICE and (call := launches.get(e["args"].get("correlation"))):
            work.append(Work(e["ts"], e["ts"] + e["dur"], call["tid"], call["ts"]))
    return work


def _cpu_work(events: list[dict]) -> list[Work]:
    work: list[Work] = []
    for e in sorted((e for e in events if e.get("cat") == "cpu_op"), key=lambda e: (e["tid"], e["ts"], -e["dur"])):
        if not work or work[-1].thread != e["tid"] or e["ts"] >= work[-1].end:
            work.append(Work(e["ts"], e["ts"] + e["dur"], e["tid"], e["ts"]))
    return work


def _union(work: list[Work]) -> float:
    busy = end = 0.0
    for piece in sorted(work):
        busy += max(0.0, piece.end - max(piece.start, end))
        end = max(end, piece.end)
    return busy


class _Ranges:
    """Look up the innermost of the nested ranges (start, end, name) of one thread at a time; "other" outside of all."""

    def __init__(self, ranges: list[tuple[float, float, str]]) -> None:
        self.times: list[float] = []
        self.names: list[str] = []
        open_ranges: list[tuple[float, str]] = []

        def close_until(time: float) -> None:
            while open_ranges and open_ranges[-1][0] <= time:
                end, _ = open_ranges.pop()
                self._add(end, open_ranges[-1][1] if open_ranges else "other")

        for start, end, name in sorted(ranges, key=lambda r: (r[0], -r[1])):
            close_until(start)
            open_ranges.append((end, name))
            self._add(start, name)
        close_until(float("inf"))

    def _add(self, time: float, name: str) -> None:
        self.times.append(time)
        self.names.append(name)

    def __call__(self, time: float) -> str:
        i = bisect_right(self.times, time) - 1
        return self.names[i] if i >= 0 else "other"
