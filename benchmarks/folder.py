"""Measure how fast predict.py turns a folder of FLAC clips into a table, and where the time goes.

python -m benchmarks.folder                           # 10,000 generated clips of one second, four members
python -m benchmarks.folder --clips 1000 --threads 1

The members are untrained networks of the default recipe. Rows: the whole work, then its parts alone: decoding in
threads, features, networks, writing the table. Columns: clips/s, processor time per clip over all cores, and the number
of cores that are busy on average. Other programs on the machine change the first and the last column.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
from hydra import compose, initialize_config_dir

from datamodules.waveforms import from_int16
from overlapped_words.allocator import keep_freed_memory
from overlapped_words.inference.inputs import Inputs, find_inputs
from overlapped_words.inference.member import TrainedNetwork
from overlapped_words.inference.model import Model
from overlapped_words.inference.predictor import Predictor
from overlapped_words.inference.tables import Table, predict_clips
from overlapped_words.runs.tables import write_table
from overlapped_words.settings import as_dict, check
from overlapped_words.settings.train import Train

BATCH_SIZE = 64  # of predict.py


def make_clips(folder: Path, num_clips: int) -> None:
    """Write `num_clips` FLAC files: a hundred distinct ones of modulated noise, and hard links to them."""
    rng = np.random.default_rng(0)
    for i in range(num_clips):
        path = folder / f"{i:06d}.flac"
        if i < 100:
            envelope = np.interp(np.arange(16_000), np.linspace(0, 16_000, 20), rng.random(20))
            soundfile.write(path, 0.2 * envelope * rng.standard_normal(16_000), 16_000)
        else:
            os.link(folder / f"{i % 100:06d}.flac", path)


def ensemble(num_members: int) -> Model:
    """Untrained members of the default recipe."""
    with initialize_config_dir(str(Path(__file__).parents[1] / "conf"), version_base="1.3"):
        cfg: Any = as_dict(check(Train, compose("train", ["name=folder", "run_dir=run"])))
    words = [f"word{i:02d}" for i in range(30)]
    members = [TrainedNetwork(words, cfg["model"], cfg["features"]).eval() for _ in range(num_members)]
    return Model(Predictor(members, [""] * num_members))


def measure(name: str, work: Callable[[], Any], num_clips: int) -> Any:
    """Run `work` once, print its row, and return its result."""
    start, cpu_start = time.perf_counter(), time.process_time()
    result = work()
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu_start
    print(
        f"{name:<9} {num_clips / seconds:8.1f} clips/s {1000 * cpu / num_clips:7.3f} ms {cpu / seconds:5.2f} cores",
        flush=True,
    )
    return result


@torch.inference_mode()
def parts(model: Model, inputs: Inputs, table: Table, output: Path) -> dict[str, Callable[[], Any]]:
    """The parts of the work; those of the predictor on one batch of waveforms, again and again."""
    predictor: Any = model.predictor
    clips = next(model.read_clips(inputs.paths, BATCH_SIZE))
    waveforms = from_int16(torch.from_numpy(clips))
    front_end = predictor.front_ends[0]
    features = front_end(waveforms).contiguous(memory_format=torch.channels_last)
    batches = range(-(-len(inputs.paths) // BATCH_SIZE))

    @torch.inference_mode()
    def networks() -> None:
        for _ in batches:
            for network in predictor.networks:
                network(features)

    return {
        "decoding": lambda: [len(chunk) for chunk in model.read_clips(inputs.paths, BATCH_SIZE)],
        "features": lambda: [len(front_end(waveforms)) for _ in batches],
        "networks": networks,
        "table": lambda: write_table(output, *table),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=10_000)
    parser.add_argument("--members", type=int, default=4)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    keep_freed_memory()  # as predict.py does
    model = ensemble(arguments.members)

    with tempfile.TemporaryDirectory() as folder:
        clips, output = Path(folder) / "clips", Path(folder) / "predictions.csv"
        clips.mkdir()
        make_clips(clips, arguments.clips)
        inputs = find_inputs(clips)
        for chunk in model.read_clips(inputs.paths[:BATCH_SIZE], BATCH_SIZE):  # warm up
            model.predictor.predict_clips(chunk)

        def whole() -> Table:
            table = predict_clips(model, inputs, BATCH_SIZE, unreadable=None)
            write_table(output, *table)
            return table

        table = measure("whole", whole, arguments.clips)
        for name, work in parts(model, inputs, table, output).items():
            measure(name, work, arguments.clips)


if __name__ == "__main__":
    main()
