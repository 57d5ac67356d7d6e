"""Measure how long the first answer takes, relative to importing torch, in alternation.

python -m benchmarks.start
python -m benchmarks.start --rounds 9

Each measurement runs in a new process: `import torch`, predict.py on one recording, and the Python API (`load` and one
recording). The member is an untrained network of the default recipe. Prints the wall time and the processor time, and
the median, lowest and highest ratio to `import torch` of the same round.
"""

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]


def write_inputs(folder: Path) -> tuple[Path, Path]:
    """Write a checkpoint and a recording of one second into `folder`; return their paths."""
    import numpy as np
    import soundfile
    import torch

    from benchmarks.onnx import settings_of
    from overlapped_words.inference.member import TrainedNetwork

    config, words = settings_of("default"), [f"word{i}" for i in range(30)]
    member = TrainedNetwork(words, config["model"], config["features"])
    settings = {"class_names": words, "network": config["model"], "features": config["features"]}
    torch.save({"state_dict": member.state_dict(), "hyper_parameters": settings}, folder / "member.ckpt")
    soundfile.write(folder / "clip.wav", 0.1 * np.random.default_rng(0).standard_normal(16_000), 16_000)
    return folder / "member.ckpt", folder / "clip.wav"


def seconds(command: list[str]) -> tuple[float, float]:
    """Wall time and processor time of a new process, in seconds."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([sys.executable, *command], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        checkpoint, recording = map(str, write_inputs(Path(folder)))
        commands = {
            "import torch": ["-c", "import torch"],
            "predict.py": ["predict.py", f"ckpt_path={checkpoint}", f"input={recording}"],
            "load and call": ["-m", "benchmarks.load_and_call", checkpoint, recording],
        }
        times: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
        for i in range(rounds + 1):
            for name, command in commands.items():
                measured = seconds(command)
                if i:  # the first round fills the page cache
                    times[name].append(measured)
    for name, pairs in times.items():
        for kind, label in enumerate(("wall", "processor")):
            own = [pair[kind] for pair in pairs]
            ratios = [pair[kind] / torch[kind] for pair, torch in zip(pairs, times["import torch"], strict=True)]
            spread = f"ratio {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
            print(f"{name:<14} {label:<9} {statistics.median(own):5.2f} s, {spread}", flush=True)


if __name__ == "__main__":
    main()
