"""Measure the speed of this project relative to the winning notebook and to an earlier version, in the same run.

python -m benchmarks.speed                             # all rows: about half an hour on two cores
python -m benchmarks.speed --only features training    # rows whose names start with these words
python -m benchmarks.speed --rounds 5 --out docs       # also writes its rows of docs/speed.csv
python -m benchmarks.speed --only default --earlier v0.1.0    # the default recipe, compared with that commit

Each measurement runs in a new process. A round measures every function once, in alternation between project and
reference. The table reports the median, lowest and highest ratio over the rounds. Do not run anything else meanwhile.
The reference of the winner's recipe is the notebook; that of the default recipe is the commit given by --earlier.
"""

import argparse
import io
import json
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import pandas as pd

from benchmarks.workload import make_clips

EARLIER = "67b61cb"  # before the default recipe was made faster

# Row name -> two calls (function, *arguments); the row reports the ratio of their speeds. In
# the earlier version, a call whose module is earlier_default runs benchmarks.default.
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
    "default, mixing": (("default.mixing",), ("earlier_default.mixing",)),
    "default, features": (("default.features",), ("earlier_default.features",)),
    "default, forward and backward": (("default.forward_backward",), ("earlier_default.forward_backward",)),
    "default, Muon": (("default.muon",), ("earlier_default.muon",)),
    "default, training": (("default.training",), ("earlier_default.training",)),
    "default, training, 32-true": (("default.training", "32-true"), ("earlier_default.training", "32-true")),
    "default, training, bf16-mixed / 32-true": (("default.training", "bf16-mixed"), ("default.training", "32-true")),
}
COLUMNS = ["row", "clips_per_s", "reference_clips_per_s", "ratio", "lowest", "highest"]


def measure(call: tuple, root: Path, earlier: Path) -> float:
    """Run one call in a new process, in this version or in the folder `earlier`; return clips/s."""
    name, *arguments = call
    version = earlier if name.startswith("earlier_") else Path(__file__).parents[1]
    command = [sys.executable, "-m", "benchmarks.call", name.removeprefix("earlier_"), str(root), json.dumps(arguments)]
    done = subprocess.run(command, cwd=version, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    return float(done.stdout.rpartition("rate ")[2])


def check_out(commit: str, folder: Path) -> None:
    """Write the files of an earlier commit into `folder`, with today's benchmarks."""
    package = Path(__file__).parent
    archive = subprocess.run(["git", "archive", commit], cwd=package.parent, capture_output=True)
    if archive.returncode:
        raise SystemExit(f"--earlier {commit}: {archive.stderr.decode().strip()}; fetch the commit or give another one")
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as tar:
        tar.extractall(folder, filter="data")
    shutil.copytree(package, folder / package.name, dirs_exist_ok=True)


def write(table: pd.DataFrame, path: Path) -> None:
    """Write the measured rows to `path`, which keeps its other rows."""
    if path.exists():
        kept = pd.read_csv(path)
        table = pd.concat([kept[kept["row"].isin(set(ROWS) - set(table["row"]))], table])
    table = table.sort_values("row", key=lambda rows: rows.map(list(ROWS).index))
    table.to_csv(path, index=False, float_format="%.4g")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", default=[""], help="measure only rows whose names start with these words")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--earlier", default=EARLIER, help=f"commit to compare the default recipe with ({EARLIER})")
    parser.add_argument("--out", type=Path, help="folder to write speed.csv to")
    arguments = parser.parse_args()
    rows = {row: calls for row, calls in ROWS.items() if row.startswith(tuple(arguments.only))}
    rates: dict[tuple, list[float]] = {call: [] for calls in rows.values() for call in calls}
    with tempfile.TemporaryDirectory() as folder:
        make_clips(Path(folder))
        earlier = Path(folder) / "earlier"
        if any(call[0].startswith("earlier_") for call in rates):
            check_out(arguments.earlier, earlier)
        for _ in range(arguments.rounds):
            for call, measured in rates.items():
                measured.append(measure(call, Path(folder), earlier))
                print(f"{call[0]} {call[1:]}: {measured[-1]:.1f} clips/s", file=sys.stderr, flush=True)
    table: list[list] = []
    for row, (call, reference) in rows.items():
        ratios = [rate / other for rate, other in zip(rates[call], rates[reference], strict=True)]
        medians = map(statistics.median, (rates[call], rates[reference], ratios))
        table.append([row, *medians, min(ratios), max(ratios)])
        print("{:<38} {:8.1f} vs. {:8.1f} clips/s, ratio {:5.2f} ({:.2f} to {:.2f})".format(*table[-1]))
    if arguments.out:
        write(pd.DataFrame(table, columns=COLUMNS), arguments.out / "speed.csv")


if __name__ == "__main__":
    main()
