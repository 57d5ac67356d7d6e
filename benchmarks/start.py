"""Measure how long the first answer of the network that ships takes, relative to importing torch, in alternation.

python -m benchmarks.start
python -m benchmarks.start --rounds 9

Each measurement runs in a new process: `import torch`, predict.py on one recording, and the Python API. Prints the
median wall time, and the median, lowest and highest ratio to `import torch` of the same round.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np
import soundfile

from benchmarks.workload import ROOT


def seconds(*command: str) -> float:
    """Wall time of a new Python process."""
    start = time.perf_counter()
    subprocess.run([sys.executable, *command], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        clip = str(Path(folder) / "clip.wav")
        soundfile.write(clip, 0.1 * np.random.default_rng(0).standard_normal(16_000), 16_000)
        commands = {
            "import torch": ("-c", "import torch"),
            "predict.py": ("predict.py", f"input={clip}"),
            "load() and a call": ("-c", f"from overlapped_words import load; load()({clip!r})"),
        }
        times: dict[str, list[float]] = {name: [] for name in commands}
        for i in range(rounds + 1):
            for name, command in commands.items():
                measured = seconds(*command)
                if i:  # the first round fills the page cache
                    times[name].append(measured)
    for name, own in times.items():
        ratios = [value / torch for value, torch in zip(own, times["import torch"], strict=True)]
        spread = f"{median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
        print(f"{name:<18} {median(own):5.2f} s, ratio {spread}")


if __name__ == "__main__":
    main()
