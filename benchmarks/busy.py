"""Measure training beside another program: with one thread, with all, and with the number that threads=auto chooses.

python -m benchmarks.busy

The other program runs on one core, in a session of its own as if from another terminal: none, a loop in Python, or
PyTorch with one thread. Prints a Markdown table of steps/s (MAC of width 16, batches of 32, features of 80 x 79), and
of auto relative to one thread. Do not run anything else meanwhile.
"""

import multiprocessing
import os
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor

import torch

from benchmarks.workload import rate
from lightning_modules.mac import MAC
from overlapped_words.threads import ThreadTuner, max_threads

TORCH = "import torch; torch.set_num_threads(1); x = torch.randn(512, 512)\nwhile True: x @ x"
PROGRAMS = {"nothing": "", "a loop in Python": "while True: pass", "PyTorch with one thread": TORCH}


def steps_per_second(threads: int) -> float:
    """Train for 40 seconds after two steps; 0 threads: as threads=auto does, its trials in that time included."""
    network, features = MAC(width=16), torch.randn(32, 4, 80, 79)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01)
    tuner = ThreadTuner(max_threads() if threads == 0 else threads, threads)

    def step() -> int:
        network(features).square().mean().backward()
        optimizer.step()
        optimizer.zero_grad()
        tuner.step()
        return 1

    return rate(step, seconds=40)


def main() -> None:
    most, core = max_threads(), max(os.sched_getaffinity(0))
    print(f"| beside | 1 thread | {most} threads | auto | auto / 1 thread |\n|---|---|---|---|---|")
    for name, program in PROGRAMS.items():
        command = ["taskset", "--cpu-list", str(core), sys.executable, "-c", program]
        other = subprocess.Popen(command, start_new_session=True)
        rates = []
        for threads in (1, most, 0):
            with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as executor:
                rates.append(executor.submit(steps_per_second, threads).result())
        other.kill()
        print(f"| {name} | {rates[0]:.3g} | {rates[1]:.3g} | {rates[2]:.3g} | {rates[2] / rates[0]:.2f} |", flush=True)


if __name__ == "__main__":
    main()
