"""Measure how long the first answer of the network that ships takes, relative to importing torch, in alternation.

python -m benchmarks.start

Each measurement runs in a new process: `import torch`, predict.py on one recording, and the Python API. Prints the
median wall time, and the median, lowest and highest ratio to `import torch` of the same round.
"""

import sys
from statistics import median
from subprocess import DEVNULL, run
from timeit import timeit

from benchmarks.workload import ROOT

CLIP = "examples/two_words.flac"
COMMANDS = {
    "import torch": ["-c", "import torch"],
    "predict.py": ["predict.py", f"input={CLIP}"],
    "load() and a call": ["-c", f"from overlapped_words import load; load()({CLIP!r})"],
}


def seconds(command: list[str]) -> float:
    """Wall time of a new Python process."""
    return timeit(lambda: run([sys.executable, *command], cwd=ROOT, check=True, stdout=DEVNULL), number=1)


def main() -> None:
    _, *rounds = [list(map(seconds, COMMANDS.values())) for _ in range(6)]  # the first round fills the page cache
    for i, name in enumerate(COMMANDS):
        ratios = [each[i] / each[0] for each in rounds]
        spread = f"{median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
        print(f"{name:<18} {median(each[i] for each in rounds):5.2f} s, ratio {spread}")


if __name__ == "__main__":
    main()
