"""Measure training on a GPU: the notebook's loop, then train.py with several settings.

python -m benchmarks.gpu           # about ten minutes
python -m benchmarks.gpu --tiny    # smoke test on any device; the numbers are meaningless

Trains the winner's recipe on 100,000 generated clips, then experiment=best_words on the synthetic words. Prints a
Markdown table: clips/s without the first epoch, its ratio to the notebook's own loop, peak memory, and the hours that
the sixteen members of the winner would take (200 epochs of 781 steps of 128 clips each), computed from the speed.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import torch

from benchmarks import notebook
from benchmarks.workload import make_clips, train

WINNER_CLIPS = 16 * 200 * 781 * 128
BF16, LARGE = "trainer.precision=bf16-mixed", "data.batch_size=1024"

ROWS: dict[str, list[str]] = {
    "16-mixed": [],
    "bf16-mixed": [BF16],
    "16-mixed, batch 1024": [LARGE],
    "16-mixed, features at every step": ["data.device_cache=waveforms"],
    "16-mixed, clips on the host": ["data.device_cache=none"],
    "bf16-mixed, batch 1024": [LARGE, BF16],
    "16-mixed, compiled": ["compile=default"],
    "16-mixed, compiled, CUDA graphs": ["compile=reduce-overhead"],
    "16-mixed, compiled, batch 1024": ["compile=default", LARGE],
    "bf16-mixed, compiled": ["compile=default", BF16],
    "best_words, 16-mixed": [],
    "best_words, bf16-mixed": [BF16],
    "best_words, mixed on the host": ["data.device_cache=none"],
    "best_words, batch 128": ["data.batch_size=128"],
}
LONG = ["trainer.max_epochs=3", "trainer.limit_train_batches=300"]
SMALL = ["model.width=2", "features.n_mels=64", "features.hop_length=250", "trainer.max_epochs=2"]
SMALL += ["data.batch_size=8", "trainer.precision=32-true"]
SMALL_WORDS = ["data.num_voices=4", "data.takes=1", "data.train_size=16", "data.val_size=8", "data.test_size=8"]


def print_row(name: str, rate: float, reference: float, memory: float) -> None:
    """Print the row of a run of the winner's recipe, or of best_words without what is computed for the winner."""
    ratio, hours = ("", "") if "words" in name else (f"{rate / reference:.1f}", f"{WINNER_CLIPS / rate / 3600:.1f}")
    print(f"| {name} | {rate:,.0f} | {ratio} | {memory:.1f} | {hours} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tiny", action="store_true", help="smoke test on any device")
    tiny = parser.parse_args().tiny
    if not tiny and not torch.cuda.is_available():
        sys.exit("no GPU: torch.cuda.is_available() is False; use --tiny for a smoke test")
    print(f"{torch.cuda.get_device_name() if torch.cuda.is_available() else 'CPU'}, PyTorch {torch.__version__}\n")
    print("| | clips/s | of the notebook's loop | memory, GB | hours for sixteen members (computed) |")
    print("|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        make_clips(folder / "few", 16 if tiny else 640)
        make_clips(folder / "many", 64 if tiny else 100_000)
        sizes = {"seconds": 0.1, "num_workers": 0, "batch_size": 8} if tiny else {"seconds": 5, "num_workers": 3}
        reference = 0.0
        for name, loads in {"notebook, its own loading": True, "notebook, clips on the device": False}.items():
            rate = notebook.training(folder / "few", loads=loads, copies=100, **sizes)
            reference = reference or rate
            print_row(name, rate, reference, torch.cuda.max_memory_allocated() / 1e9)
        winner = ["experiment=winner", f"data.root={folder / 'many'}"]
        words = ["experiment=best_words", "data=synthetic", "data.curriculum=0"]
        words += SMALL_WORDS if tiny else ["data.train_size=9600"]
        rows = {name: [] for name in ("16-mixed", "best_words, 16-mixed")} if tiny else ROWS
        for i, (name, settings) in enumerate(rows.items()):
            recipe = [*(words if "words" in name else winner), *settings, *(SMALL if tiny else LONG)]
            try:
                rate, memory = train(folder, f"row{i}", *recipe, seconds=180)
                print_row(name, rate, reference, memory)
            except (RuntimeError, subprocess.TimeoutExpired) as error:  # such as out of memory: measure the others
                print(f"| {name} | {str(error)[:200]} |", flush=True)


if __name__ == "__main__":
    main()
