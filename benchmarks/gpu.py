"""Measure training on a GPU: the notebook's loop, this project with several settings, and a short training run.

python -m benchmarks.gpu                 # five minutes, without torch.compile
python -m benchmarks.gpu --minutes 7     # with torch.compile
python -m benchmarks.gpu --out docs      # also writes docs/gpu.csv
python -m benchmarks.gpu --tiny          # smoke test: seconds, on any device; the numbers are meaningless

train.py trains the winner's recipe on 100,000 generated clips. Each row reports the speed after warmup (clips/s), GPU
utilization, the fraction of GPU time per phase of a step, peak memory, and the hours that the sixteen members (200
epochs of 781 steps of 128 clips each) would take, extrapolated from the speed. Each section runs in its own process
with a time limit. The last section trains experiment=best_words on the synthetic words for the remaining time.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

WINNER_CLIPS = 16 * 200 * 781 * 128
SECTIONS = {"notebook": 60, "project": 100, "compiled": 120, "words": 240}  # time limit in seconds
KEPT_FOR_WORDS = 165  # seconds that the earlier sections leave for the last one
LEAST = 30  # seconds; a section with less than this is skipped
SHARES = ["forward", "backward", "optimizer", "features", "augmentation", "loading", "other"]
COLUMNS = ["device", "torch", "row", "clips_per_s", "of_notebook", "ms_per_step", "gpu_busy", "network_busy", *SHARES]
COLUMNS += ["memory_gb", "hours_of_sixteen", "val_kl", "val_kl_constant", "test_kl", "epochs", "train_seconds", "error"]


@dataclass(frozen=True)
class Row:
    """A configuration to measure: overrides on top of those of its section."""

    name: str
    settings: tuple[str, ...] = ()
    channels_last: bool = True


PROJECT = [
    Row("16-mixed"),
    Row("bf16-mixed", ("trainer.precision=bf16-mixed",)),
    Row("16-mixed, batch 1024", ("data.batch_size=1024",)),
    Row("16-mixed, features at every step", ("data.device_cache=waveforms",)),
    Row("16-mixed, clips on the host", ("data.device_cache=none",)),
    Row("16-mixed, not channels_last", channels_last=False),
    Row("bf16-mixed, batch 1024", ("data.batch_size=1024", "trainer.precision=bf16-mixed")),
]
COMPILED = [
    Row("16-mixed, compiled", ("compile=default",)),
    Row("16-mixed, compiled, CUDA graphs", ("compile=reduce-overhead",)),
    Row("16-mixed, compiled, batch 1024", ("compile=default", "data.batch_size=1024")),
    Row("bf16-mixed, compiled", ("compile=default", "trainer.precision=bf16-mixed")),
]
WORDS = [
    Row("best_words, 16-mixed"),
    Row("best_words, bf16-mixed", ("trainer.precision=bf16-mixed",)),
    Row("best_words, mixed on the host", ("data.device_cache=none",)),
    Row("best_words, batch 128", ("data.batch_size=128",)),
]


def notebook_rows(tiny: bool, deadline: float) -> Iterator[dict]:
    """The notebook's training loop: with clips loaded from files by three workers, and with clips on the device."""
    from benchmarks import gpu_sides
    from benchmarks.workload import make_clips

    with tempfile.TemporaryDirectory() as folder:
        make_clips(Path(folder), 16 if tiny else 640)
        for on_device in (False, True):
            yield gpu_sides.notebook(Path(folder), on_device, tiny)


def project_rows(rows: list[Row], tiny: bool, deadline: float) -> Iterator[dict]:
    from benchmarks import gpu_sides

    with tempfile.TemporaryDirectory() as folder:
        for row in rows:
            if time.time() < deadline:
                arguments = (Path(folder), row.settings, row.channels_last, tiny)
                yield {"row": row.name} | gpu_sides.guarded(gpu_sides.winner, *arguments)


def words_rows(tiny: bool, deadline: float) -> Iterator[dict]:
    """best_words with several settings, then a training run for the remaining time, with its KL and epochs."""
    from benchmarks import gpu_sides

    with tempfile.TemporaryDirectory() as folder:
        rate = 0.0
        for row in WORDS[:1] if tiny else WORDS:
            found = gpu_sides.guarded(gpu_sides.words, Path(folder), row.settings, tiny)
            rate = rate or found.get("clips_per_s", 0.0)
            yield {"row": row.name} | found
        yield gpu_sides.train_words(Path(folder), rate, deadline - time.time(), tiny)


def section(name: str, tiny: bool, deadline: float) -> Iterator[dict]:
    """Yield the rows of a section, measured in this process."""
    if name == "notebook":
        return notebook_rows(tiny, deadline)
    if name == "words":
        return words_rows(tiny, deadline)
    return project_rows(PROJECT if name == "project" else COMPILED, tiny, deadline)


def run_section(name: str, seconds: float, log: Path) -> Iterator[dict]:
    """Yield the rows of a section, measured in a new process that is killed after `seconds` plus a grace period."""
    command = [sys.executable, "-m", "benchmarks.gpu", "--section", name, "--seconds", str(seconds)]
    return read_rows(command, seconds + 10, log)


def read_rows(command: list[str], seconds: float, log: Path) -> Iterator[dict]:
    """Yield the rows that a command prints; kill it after `seconds`. Other output is appended to `log`."""
    root = Path(__file__).parents[1]
    process = subprocess.Popen(
        command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    # The whole group: its workers would keep the pipe open.
    timer = threading.Timer(seconds, lambda: os.killpg(process.pid, signal.SIGKILL))
    timer.start()
    assert process.stdout is not None
    with log.open("a") as file:
        for line in process.stdout:
            if line.startswith("row {"):
                yield json.loads(line.removeprefix("row "))
            else:
                file.write(line)
                file.flush()
    timer.cancel()
    if process.wait():
        yield {
            "row": f"({' '.join(command[3:5])})",
            "error": f"exit status {process.returncode}, time limit {seconds:.0f} s",
        }


def finish(row: dict, notebook: float | None) -> dict:
    """Add the derived values to a measured row."""
    rate = row.get("clips_per_s")
    if rate and not row["row"].startswith("best_words"):
        row["hours_of_sixteen"] = WINNER_CLIPS / rate / 3600
        row["of_notebook"] = rate / notebook if notebook else None
    if "forward" in row:
        row["network_busy"] = row["gpu_busy"] * (row["forward"] + row.get("backward", 0.0))
    return row


def as_line(row: dict) -> str:
    """Format a row for the terminal."""
    if row.get("error"):
        return f"{row['row']:<34} {row['error']}"
    text = f"{row['row']:<34} {row['clips_per_s']:9,.0f} clips/s {row['ms_per_step']:7.2f} ms"
    shown: list[tuple[str, Callable[[float], str]]] = [
        ("of_notebook", "{:.2f} x notebook".format),
        ("gpu_busy", "GPU busy {:.0%}".format),
        ("network_busy", "GPU busy with network {:.0%}".format),
        *((name, f"{name} {{:.0%}}".format) for name in SHARES),
        ("memory_gb", "{:.1f} GB".format),
        ("hours_of_sixteen", "{:.1f} h for sixteen members".format),
        ("val_kl", "val KL {:.4f}".format),
        ("val_kl_constant", "(uniform prediction {:.4f})".format),
        ("test_kl", "test KL {:.4f}".format),
        ("epochs", "{} epochs".format),
        ("train_seconds", "in {:.0f} s".format),
    ]
    return ", ".join([text, *(form(row[name]) for name, form in shown if row.get(name) is not None)])


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="folder to write gpu.csv to")
    parser.add_argument("--minutes", type=float, default=5.0, help="time limit of the whole benchmark")
    parser.add_argument("--tiny", action="store_true", help="smoke test on any device")
    parser.add_argument("--section", help=argparse.SUPPRESS)
    parser.add_argument("--seconds", type=float, default=60.0, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    begun = time.time()
    if options.section:
        for row in section(options.section, options.tiny, begun + options.seconds):
            print("row", json.dumps(row), flush=True)
        return

    import torch

    if not options.tiny and not torch.cuda.is_available():
        sys.exit("no GPU: torch.cuda.is_available() is False; use --tiny for a smoke test")
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
    print(f"{device}, PyTorch {torch.__version__}")
    table: list[dict] = []
    notebook: float | None = None
    log = (options.out or Path(tempfile.mkdtemp())) / "gpu.log"
    for name, limit in SECTIONS.items():
        if options.tiny:
            rows = section(name, True, begun + 1e9) if name != "compiled" else iter(())
        else:
            left = begun + 60 * options.minutes - time.time()
            seconds = min(limit, left if name == "words" else left - KEPT_FOR_WORDS)
            too_short = iter([{"row": f"({name})", "error": "left out: raise --minutes"}])
            rows = run_section(name, seconds, log) if seconds >= LEAST else too_short
        for row in rows:
            if name == "notebook" and "loading" in row["row"]:
                notebook = row.get("clips_per_s")
            table.append(finish(row, notebook) | {"device": device, "torch": torch.__version__})
            print(as_line(row), flush=True)
            if options.out:
                written = pd.DataFrame(table).reindex(columns=COLUMNS)
                written.to_csv(options.out / "gpu.csv", index=False, float_format="%.4g")
    print(f"{time.time() - begun:.0f} s in total{'' if options.tiny else f'; log: {log}'}")


if __name__ == "__main__":
    main()
