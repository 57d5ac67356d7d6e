"""Does time grow with the number of clips, and memory not?

python benchmarks/growth.py                          # 1,000, 10,000 and 100,000 generated clips; 4 GB of disk
python benchmarks/growth.py 1000 10000 --out docs    # writes docs/growth.csv

Each size is a fresh process: seconds to build the cache of waveforms, to open it again, clips/s of loading, features
and augmentation, and how far the process's own memory (without the page cache) grew over the loading.
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

NUM_BATCHES = 40
BATCH_SIZE = 32


def make_clips(root: Path, num_clips: int) -> None:
    """A competition folder whose recordings are names of a hundred different files: what counts is their number."""
    rng = np.random.default_rng(0)
    (root / "train").mkdir(parents=True)
    for i in range(num_clips):
        path = root / "train" / f"{i:06d}.wav"
        if i < 100:
            soundfile.write(path, 0.1 * rng.standard_normal(16_000), 16_000)
        else:
            os.link(root / "train" / f"{i % 100:06d}.wav", path)
    answers = np.full((num_clips, 4), 0.25)
    table = pd.DataFrame(answers, columns=["no", "on", "up", "yes"])
    table.insert(0, "id", [f"{i:06d}" for i in range(num_clips)])
    table.to_csv(root / "train_answer.csv", index=False)


def own_memory() -> float:
    """MB that the process holds itself: mapped files, which the system may drop at any time, not counted."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("RssAnon:")[1].split()[0]) / 1024


def measure(root: Path) -> dict[str, float]:
    from benchmarks.speed import batches, data_module

    first, data = (data_module(root, "waveforms", build=False) for _ in range(2))
    start = time.perf_counter()
    first.setup()
    built = time.perf_counter()
    data.setup()
    opened = time.perf_counter()
    data.batch_size = BATCH_SIZE
    stream = batches(data)
    for _ in range(5):  # the allocator's pools fill
        next(stream)
    before, begin = own_memory(), time.perf_counter()
    for _ in range(NUM_BATCHES):
        next(stream)
    rate = NUM_BATCHES * BATCH_SIZE / (time.perf_counter() - begin)
    return {
        "clips": len(data.train),
        "build_s": built - start,
        "open_s": opened - built,
        "loading_clips_per_s": rate,
        "growth_mb": own_memory() - before,
        "memory_mb": own_memory(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sizes", type=int, nargs="*", default=[1_000, 10_000, 100_000])
    parser.add_argument("--out", type=Path, help="folder for growth.csv")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        print(json.dumps(measure(arguments.measure)))
        return
    rows = []
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1]), "THP_MEM_ALLOC_ENABLE": "1"}
    for size in arguments.sizes:
        with tempfile.TemporaryDirectory() as folder:
            make_clips(Path(folder) / "data", size)
            command = [sys.executable, __file__, "--measure", f"{folder}/data"]
            done = subprocess.run(command, env=environment, capture_output=True, text=True)
            if done.returncode:
                raise SystemExit(done.stderr)
            rows.append(json.loads(done.stdout.splitlines()[-1]))
            print("  ".join(f"{name} {value:,.5g}" for name, value in rows[-1].items()), flush=True)
    if arguments.out:
        pd.DataFrame(rows).to_csv(arguments.out / "growth.csv", index=False, float_format="%.4g")


if __name__ == "__main__":
    main()
