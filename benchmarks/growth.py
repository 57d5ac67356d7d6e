"""Measure how time and memory scale with the number of clips.

python -m benchmarks.growth                            # 1,000 to 100,000 generated clips; needs 4 GB of disk space
python -m benchmarks.growth 4000 40000 --out docs      # also writes docs/growth.csv

Each size runs in a new process. Columns: disk space of the waveform cache per clip (KB), speed of building the cache
(clips/s), time to reopen it (s), speed of loading with feature extraction and augmentation (clips/s), speed of training
(clips/s), memory of the process after training without the page cache (MB), and how much it grew in the second half of
the training (MB).
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile

NUM_BATCHES = 20
BATCH_SIZE = 32


def make_clips(root: Path, num_clips: int) -> None:
    """Write a competition folder of `num_clips` recordings: a hundred distinct files and hard links to them."""
    rng = np.random.default_rng(0)
    (root / "train").mkdir(parents=True)
    for i in range(num_clips):
        path = root / "train" / f"{i:06d}.wav"
        if i < 100:
            soundfile.write(path, 0.1 * rng.standard_normal(16_000), 16_000)
        else:
            os.link(root / "train" / f"{i % 100:06d}.wav", path)
    table = pd.DataFrame(np.full((num_clips, 4), 0.25), columns=["no", "on", "up", "yes"])
    table.insert(0, "id", [f"{i:06d}" for i in range(num_clips)])
    table.to_csv(root / "train_answer.csv", index=False)


def anonymous_memory() -> float:
    """Memory of this process in MB without mapped files, which the system may evict at any time."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("RssAnon:")[1].split()[0]) / 1024


def measure(root: Path) -> dict[str, float]:
    """Measure one size in this process; return one row of the table."""
    import torch

    from benchmarks.project import batches, data_module
    from lightning_modules.mac import MAC
    from lightning_modules.outputs import kl_divergence

    options = ("data.cache=waveforms", f"data.batch_size={BATCH_SIZE}")
    first, data = data_module(root, *options), data_module(root, *options)
    marks = [time.perf_counter()]
    for module in (first, data):
        module.setup()
        marks.append(time.perf_counter())
    stream = batches(data)
    next(stream)
    marks.append(time.perf_counter())
    for _ in range(NUM_BATCHES):
        next(stream)
    marks.append(time.perf_counter())

    network = MAC("avg", num_classes=len(data.class_names)).to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01, fused=True)
    memory = []
    for _ in range(NUM_BATCHES):
        features, targets = next(stream)
        optimizer.zero_grad()
        kl_divergence(network(features.contiguous(memory_format=torch.channels_last)), targets).backward()
        optimizer.step()
        memory.append(anonymous_memory())
    marks.append(time.perf_counter())
    build, reopen, _, loading, training = np.diff(marks)
    size = sum(file.stat().st_size for file in (root / "cache").glob("*.npy"))
    return {
        "clips": len(data.train),
        "kb_per_clip": size / len(data.train) / 1000,
        "build_clips_per_s": len(data.train) / build,
        "open_s": reopen,
        "loading_clips_per_s": NUM_BATCHES * BATCH_SIZE / loading,
        "training_clips_per_s": NUM_BATCHES * BATCH_SIZE / training,
        "memory_mb": memory[-1],
        "growth_mb": memory[-1] - memory[NUM_BATCHES // 2],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "sizes", type=int, nargs="*", default=[1_000, 4_000, 10_000, 40_000, 100_000], help="numbers of clips"
    )
    parser.add_argument("--out", type=Path, help="folder to write growth.csv to")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        print(json.dumps(measure(arguments.measure)))
        return
    rows = []
    for size in arguments.sizes:
        with tempfile.TemporaryDirectory() as folder:
            make_clips(Path(folder) / "data", size)
            command = [sys.executable, "-m", "benchmarks.growth", "--measure", f"{folder}/data"]
            done = subprocess.run(command, cwd=Path(__file__).parents[1], capture_output=True, text=True)
            if done.returncode:
                raise SystemExit(done.stderr)
            rows.append(json.loads(done.stdout.splitlines()[-1]))
            print("  ".join(f"{name} {value:,.5g}" for name, value in rows[-1].items()), flush=True)
    if arguments.out:
        pd.DataFrame(rows).to_csv(arguments.out / "growth.csv", index=False, float_format="%.4g")


if __name__ == "__main__":
    main()
