"""Input and timer shared by the two sides of speed.py."""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile

NUM_CLIPS = 640  # five batches of 128


def make_clips(root: Path, num_clips: int = NUM_CLIPS) -> None:
    """Write a competition folder of amplitude-modulated noise; each clip has four of 30 words."""
    rng = np.random.default_rng(0)
    rows = []
    (root / "train").mkdir(parents=True)
    for i in range(num_clips):
        envelope = np.interp(np.arange(16_000), np.linspace(0, 16_000, 20), rng.random(20))
        soundfile.write(root / "train" / f"{i:05d}.wav", 0.2 * envelope * rng.standard_normal(16_000), 16_000)
        rows.append(np.isin(np.arange(30), rng.permutation(30)[:4]) / 4)
    table = pd.DataFrame(rows, columns=[f"word{i}" for i in range(30)])
    table.insert(0, "id", [f"{i:05d}" for i in range(num_clips)])
    table.to_csv(root / "train_answer.csv", index=False)


def rate(work: Callable[[], int], seconds: float = 6.0) -> float:
    """Measure clips/s of `work`, which returns the number of clips it processed: two warmup calls, then `seconds`."""
    for _ in range(2):
        work()
    start, clips = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        clips += work()
    return clips / (time.perf_counter() - start)
