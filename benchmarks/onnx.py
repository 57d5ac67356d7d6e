"""Measure exported ONNX files relative to PyTorch, on the same clips in the same process.

python -m benchmarks.onnx                                    # minutes on an idle machine
python -m benchmarks.onnx --recipes default --members 1      # only these rows
python -m benchmarks.onnx --out docs                         # also writes docs/onnx.csv

Both compute probabilities from waveforms, with the same number of threads, in alternation. The table reports the median
rates, and the median, lowest and highest ratio over the rounds. Do not run anything else meanwhile.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from hydra import compose, initialize_config_dir
from torch import Tensor

from overlapped_words.allocator import keep_freed_memory
from overlapped_words.export.onnx_export import start_session, to_onnx
from overlapped_words.export.portable_features import PortableMel
from overlapped_words.inference.member import TrainedNetwork
from overlapped_words.inference.predictor import Predictor
from overlapped_words.settings import as_dict, check
from overlapped_words.settings.train import Train

RECIPES: dict[str, list[str]] = {"default": [], "winner": ["experiment=winner", "data.root=."]}
BATCH_SIZES = (1, 8, 64)
ROUNDS = 9


def settings_of(recipe: str) -> dict[str, Any]:
    """The plain settings of train.py for a recipe."""
    with initialize_config_dir(str(Path(__file__).parents[1] / "conf"), version_base="1.3"):
        return as_dict(check(Train, compose("train", [*RECIPES[recipe], "name=onnx", "run_dir=run"])))


def build(recipe: str, num_members: int) -> Predictor:
    """Build a predictor of untrained members: the first half with average pools, the second half with max pools."""
    config = settings_of(recipe)
    torch.manual_seed(0)
    class_names = [f"word{i}" for i in range(30)]
    pools = ["avg" if 2 * i < num_members else "max" for i in range(num_members)]
    members = [TrainedNetwork(class_names, {**config["model"], "pool": pool}, config["features"]) for pool in pools]
    return Predictor(members, [""] * num_members).eval()


def alternate(calls: Sequence[Callable[[], Any]], batch_size: int) -> list[list[float]]:
    """Clips/s of each call in each round; a round times every call once, after a warmup call."""
    rates: list[list[float]] = [[] for _ in calls]
    for _ in range(ROUNDS):
        for call, measured in zip(calls, rates, strict=True):
            call()
            start, clips = time.perf_counter(), 0
            while clips == 0 or time.perf_counter() - start < 0.2:
                call()
                clips += batch_size
            measured.append(clips / (time.perf_counter() - start))
    return rates


def front_end_megabytes(predictor: Predictor) -> float:
    """Size of the constants of the exported front end."""
    front_ends: Any = predictor.front_ends
    return sum(buffer.nbytes for mel in front_ends for buffer in PortableMel(mel).buffers()) / 1e6


def measure(recipe: str, num_members: int) -> list[dict[str, Any]]:
    """Export a predictor and time the file: one row per batch size."""
    predictor, rows = build(recipe, num_members), []
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.onnx"
        to_onnx(predictor, metadata={}).save(file)
        session = start_session(file, torch.get_num_threads())
        for batch_size in BATCH_SIZES:
            waveforms: Tensor = 0.1 * torch.randn(batch_size, predictor.num_samples)
            inputs = {"waveforms": waveforms.numpy()}
            calls = (partial(session.run, ["probs"], inputs), partial(predictor, waveforms))
            onnx, pytorch = alternate(calls, batch_size)
            ratios = [a / b for a, b in zip(onnx, pytorch, strict=True)]
            row = {"recipe": recipe, "members": num_members, "batch_size": batch_size}
            row |= {"onnx": statistics.median(onnx), "pytorch": statistics.median(pytorch)}
            row |= {"ratio": statistics.median(ratios), "lowest": min(ratios), "highest": max(ratios)}
            row |= {"file_mb": file.stat().st_size / 1e6, "front_end_mb": front_end_megabytes(predictor)}
            print(
                ", ".join(f"{key} {value}" if key == "recipe" else f"{key} {value:.4g}" for key, value in row.items())
            )
            rows.append(row)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipes", nargs="+", choices=RECIPES, default=list(RECIPES))
    parser.add_argument("--members", nargs="+", type=int, default=[1, 16])
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--out", type=Path, help="folder to write onnx.csv to")
    arguments = parser.parse_args()
    keep_freed_memory()  # as the scripts do
    torch.set_num_threads(arguments.threads)
    print(f"{torch.get_num_threads()} threads, {torch.backends.cpu.get_cpu_capability()}", flush=True)
    rows = [row for recipe in arguments.recipes for members in arguments.members for row in measure(recipe, members)]
    if arguments.out:
        pd.DataFrame(rows).to_csv(arguments.out / "onnx.csv", index=False, float_format="%.4g")


if __name__ == "__main__":
    main()
