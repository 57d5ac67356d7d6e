"""Measure training beside another program: with one thread, with all, and with the number that threads=auto chooses.

python -m benchmarks.busy

The other program runs on one core, in a session of its own as if from another terminal: none, a loop in Python, or
PyTorch with one thread. Prints a Markdown table of steps/s (MAC of width 16, batches of 32, features of 80 x 79), and
of auto relative to one thread. Do not run anything else meanwhile.
"""

import argparse
import multiprocessing
import os
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor

import torch

from lightning_modules.mac import MAC
from overlapped_words.threads import ThreadTuner, max_threads

TORCH = "import torch; torch.set_num_threads(1); x = torch.randn(512, 512)\nwhile True: x @ x"
PROGRAMS = {"nothing": None, "a loop in Python": "while True: pass", "PyTorch with one thread": TORCH}


def steps_per_second(threads: int, seconds: float) -> float:
    """Train for `seconds` after one step; 0 threads: as threads=auto does, its trials included."""
    network, features = MAC(width=16), torch.randn(32, 4, 80, 79)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01)
    tuner = ThreadTuner(max_threads() if threads == 0 else threads, threads)
    start, steps = 0.0, -1
    while steps < 0 or time.perf_counter() - start < seconds:
        network(features).square().mean().backward()
        optimizer.step()
        optimizer.zero_grad()
        tuner.step()
        steps += 1
        start = start or time.perf_counter()
    return steps / (time.perf_counter() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=40.0, help="of a measurement")
    seconds, most, core = parser.parse_args().seconds, max_threads(), max(os.sched_getaffinity(0))
    print(f"| beside | 1 thread | {most} threads | auto | auto / 1 thread |\n|---|---|---|---|---|")
    for name, program in PROGRAMS.items():
        command = ["taskset", "--cpu-list", str(core), sys.executable, "-c", program or ""]
        other = subprocess.Popen(command, start_new_session=True)
        rates = []
        for threads in (1, most, 0):
            with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as executor:
                rates.append(executor.submit(steps_per_second, threads, seconds).result())
        other.kill()
        print(f"| {name} | {rates[0]:.3g} | {rates[1]:.3g} | {rates[2]:.3g} | {rates[2] / rates[0]:.2f} |", flush=True)


if __name__ == "__main__":
    main()
