"""What the benchmarks of speed share: generated clips, a timer, and training with train.py."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile

ROOT = Path(__file__).parents[1]


def make_clips(root: Path, num_clips: int, num_distinct: int = 640) -> None:
    """Write a competition folder of amplitude-modulated noise; each clip has four of 30 words.

    Only the first `num_distinct` recordings are files of their own, the others are hard links to them.
    """
    rng = np.random.default_rng(0)
    (root / "train").mkdir(parents=True)
    for i in range(num_clips):
        path = root / "train" / f"{i:06d}.wav"
        if i < num_distinct:
            envelope = np.interp(np.arange(16_000), np.linspace(0, 16_000, 20), rng.random(20))
            soundfile.write(path, 0.2 * envelope * rng.standard_normal(16_000), 16_000)
        else:
            os.link(root / "train" / f"{i % num_distinct:06d}.wav", path)
    targets = (rng.random((num_clips, 30)).argsort(axis=1) < 4) / 4
    ids = pd.Index([f"{i:06d}" for i in range(num_clips)], name="id")
    pd.DataFrame(targets, ids, [f"word{i}" for i in range(30)]).to_csv(root / "train_answer.csv")


def rate(work: Callable[[], int], seconds: float = 6.0) -> float:
    """Measure the clips/s or steps/s of `work`, which returns how many it did: two warmup calls, then `seconds`."""
    for _ in range(2):
        work()
    start, clips = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        clips += work()
    return clips / (time.perf_counter() - start)


def train(folder: Path, name: str, *settings: str, seconds: float | None = None) -> tuple[float, float]:
    """Run train.py in `folder`, as outputs/`name`.

    Returns the mean clips/s of all epochs but the first, and the peak memory in GB, of the GPU if there is one.

    Raises:
        RuntimeError: train.py failed, with its last line; subprocess.TimeoutExpired: it took more than `seconds`.
    """
    settings = (*settings, f"name={name}", f"data.cache_dir={folder / 'cache'}", "callbacks.dashboard=null")
    command = [sys.executable, str(ROOT / "train.py"), *settings]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=seconds)
    if done.returncode:
        raise RuntimeError((done.stdout + done.stderr).strip().rpartition("\n")[2])
    (epochs,) = folder.glob(f"outputs/{name}/*/metrics.csv")
    metrics = json.loads(epochs.with_suffix(".json").read_text())
    return float(pd.read_csv(epochs)["train/clips_per_second"][1:].mean()), metrics["peak_memory_gb"]
