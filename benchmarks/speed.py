"""Measure the speed of this project relative to the winning notebook, on the same clips in the same run.

python -m benchmarks.speed                             # all rows: about half an hour on two cores
python -m benchmarks.speed --only features training    # rows whose names start with these words
python -m benchmarks.speed --rounds 5 --out docs       # also writes docs/speed.csv

Each measurement runs in a new process. A round measures every function once, in alternation between project and
reference. The table reports the median, lowest and highest ratio over the rounds. Do not run anything else meanwhile.
"""

import argparse
import multiprocessing
import statistics
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from importlib import import_module
from pathlib import Path

import pandas as pd

from benchmarks.workload import make_clips

# Row name -> two calls (function, *arguments); the row reports the ratio of their speeds.
ROWS: dict[str, tuple[tuple, tuple]] = {
    "features": (("project.features",), ("notebook.features",)),
    "loading, 0 workers": (("project.loading", 0), ("notebook.loading", 0)),
    "loading, 2 workers": (("project.loading", 2), ("notebook.loading", 2)),
    "training, avg": (("project.training", "avg"), ("notebook.training", "avg")),
    "training, max": (("project.training", "max"), ("notebook.training", "max")),
    "training, avg / bare step": (("project.training", "avg"), ("project.bare_step", "avg")),
    "training, max / bare step": (("project.training", "max"), ("project.bare_step", "max")),
    "training, waveforms / features": (("project.training", "avg", "waveforms"), ("project.training", "avg")),
    "caching": (("project.caching",), ("notebook.caching",)),
    "prediction, 16 members": (("project.prediction",), ("notebook.prediction",)),
    "onnx, 1 member, 1 clip": (("project.onnx", 1, 1), ("project.prediction", 1, 1)),
    "onnx, 1 member, 64 clips": (("project.onnx", 1, 64), ("project.prediction", 1, 64)),
    "onnx, 16 members, 1 clip": (("project.onnx", 16, 1), ("project.prediction", 16, 1)),
    "onnx, 16 members, 64 clips": (("project.onnx", 16, 64), ("project.prediction", 16, 64)),
}
COLUMNS = ["row", "clips_per_s", "reference_clips_per_s", "ratio", "lowest", "highest"]


def measure(call: tuple, root: Path) -> float:
    """Run one call in a new process; return clips/s."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as executor:
        return executor.submit(run_call, call, root).result()


def run_call(call: tuple, root: Path) -> float:
    """Run one call in this process; return clips/s."""
    module, function = call[0].split(".")
    return float(getattr(import_module(f"benchmarks.{module}"), function)(root, *call[1:]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", default=[""], help="measure only rows whose names start with these words")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, help="folder to write speed.csv to")
    arguments = parser.parse_args()
    rows = {row: calls for row, calls in ROWS.items() if row.startswith(tuple(arguments.only))}
    rates: dict[tuple, list[float]] = {call: [] for calls in rows.values() for call in calls}
    with tempfile.TemporaryDirectory() as folder:
        make_clips(Path(folder))
        for _ in range(arguments.rounds):
            for call, measured in rates.items():
                measured.append(measure(call, Path(folder)))
                print(f"{call[0]} {call[1:]}: {measured[-1]:.1f} clips/s", file=sys.stderr, flush=True)
    table: list[list] = []
    for row, (call, reference) in rows.items():
        ratios = [rate / other for rate, other in zip(rates[call], rates[reference], strict=True)]
        medians = map(statistics.median, (rates[call], rates[reference], ratios))
        table.append([row, *medians, min(ratios), max(ratios)])
        print("{:<32} {:8.1f} vs. {:8.1f} clips/s, ratio {:5.2f} ({:.2f} to {:.2f})".format(*table[-1]))
    if arguments.out:
        pd.DataFrame(table, columns=COLUMNS).to_csv(arguments.out / "speed.csv", index=False, float_format="%.4g")


if __name__ == "__main__":
    main()
