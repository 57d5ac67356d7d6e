"""The training runs that gpu.py measures; each function returns a row of metrics."""

import gc
import json
import tempfile
import traceback
from collections.abc import Callable, Iterator, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from hydra import compose, initialize_config_dir
from lightning import Callback, LightningModule, Trainer
from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from benchmarks import notebook as notebooks
from benchmarks.stopwatch import Measured, busy_share
from benchmarks.workload import rate
from datamodules.clips import Clips, Splits
from lightning_modules.mac import MAC
from overlapped_words.settings import check
from overlapped_words.settings.train import Train
from overlapped_words.training.run import train

SECONDS = 3.0  # duration of a measurement
NUM_CLIPS = 100_000  # the competition's
DISTINCT = 8_192  # distinct clips; generating them takes about a second
TINY = ["data.cache=waveforms", "model.width=2", "features.n_mels=64", "features.hop_length=250"]
TINY_WORDS = ["data.num_voices=4", "data.takes=1", "data.train_size=64", "data.val_size=8", "data.test_size=8"]


class Generated:
    """A data source of `size` noise clips for training, each with four of 30 words. Ignores the rest of `data`."""

    def __init__(self, size: int, **others: Any) -> None:
        self.size = size

    def load(self, cache_dir: Path, seed: int) -> Splits:
        rng = np.random.default_rng(0)
        array = rng.integers(-8_000, 8_000, size=(min(self.size, DISTINCT), 16_000), dtype=np.int16)
        targets = (rng.random((self.size, 30)).argsort(axis=1) < 4).astype(np.float32) / 4
        names = [f"word{i}" for i in range(30)]
        ids = [str(i) for i in range(self.size)]
        train = Clips(ids, array, np.arange(self.size) % len(array), targets, "generated")
        return Splits(names, ["id", *names], train, None, None)


class PlainLayout(Callback):
    """Train in PyTorch's default memory layout instead of channels_last."""

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        network: Any = pl_module.network
        network.to(memory_format=torch.contiguous_format)
        pl_module.forward = network.forward  # type: ignore[method-assign]


def guarded(function: Callable[..., dict], *arguments: Any) -> dict:
    """Return the row of `function`, or a row with the error; free GPU memory afterwards."""
    try:
        return function(*arguments)
    except Exception as error:
        traceback.print_exc()
        return {"error": f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else ''}"}
    finally:
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()


def configuration(settings: Sequence[str], root: Path, tiny: bool) -> DictConfig:
    """Compose the configuration of train.py for these overrides."""
    settings = [
        *settings,
        "name=gpu",
        f"run_dir={root}",
        f"data.cache_dir={root / 'cache'}",
        "callbacks.dashboard=null",
    ]
    with initialize_config_dir(str(Path(__file__).parents[1] / "conf"), version_base="1.3"):
        cfg = compose("train", [*settings, *(TINY if tiny else [])])
    OmegaConf.set_struct(cfg, False)
    return cfg


def measure(cfg: DictConfig, tiny: bool) -> dict:
    """Run a training until Stopwatch ends it; return its row."""
    stopwatch = {"seconds": 0.1, "warm_up": 1, "profiled": 2} if tiny else {"seconds": SECONDS}
    cfg.callbacks.stopwatch = {"_target_": "benchmarks.stopwatch.Stopwatch", **stopwatch}
    with tempfile.TemporaryDirectory() as run_dir:
        cfg.run_dir = run_dir
        try:
            train(check(Train, cfg), run_dir, [])
        except Measured as measured:
            return measured.row
    raise RuntimeError("training ended before the measurement was complete")


def winner(root: Path, settings: Sequence[str], channels_last: bool, tiny: bool) -> dict:
    """Measure experiment=winner on generated clips; `root` contains the cache."""
    settings = ["experiment=winner", f"data.root={root}", *(["data.batch_size=8"] if tiny else []), *settings]
    if tiny:
        settings = [setting.replace("1024", "16").replace("bf16-mixed", "32-true") for setting in settings]
    cfg = configuration(settings, root, tiny)
    cfg.data.source = {"_target_": "benchmarks.gpu_sides.Generated", "size": 256 if tiny else NUM_CLIPS}
    if not channels_last:
        cfg.callbacks.layout = {"_target_": "benchmarks.gpu_sides.PlainLayout"}
    return measure(cfg, tiny)


def best_words(root: Path, settings: Sequence[str], tiny: bool) -> DictConfig:
    """Compose experiment=best_words on the synthetic words; the first call synthesizes them."""
    settings = ["experiment=best_words", "data=synthetic", *(TINY_WORDS if tiny else []), *settings]
    return configuration(settings, root, tiny)


def words(root: Path, settings: Sequence[str], tiny: bool) -> dict:
    """Measure experiment=best_words with four words in every mixture, and epochs so long that validation is rare."""
    settings = ["data.curriculum=0", *([] if tiny else ["data.train_size=40000"]), *settings]
    return measure(best_words(root, settings, tiny), tiny)


def train_words(root: Path, clips_per_s: float, seconds: float, tiny: bool) -> dict:
    """Train experiment=best_words for about `seconds`; return its metrics."""
    cfg = best_words(root, ["trainer.max_epochs=2"] if tiny else [], tiny)
    if not tiny:
        seconds -= 15  # for the predictions
        cfg.trainer.max_epochs = max(2, int(0.75 * seconds * clips_per_s / cfg.data.train_size))
        cfg.trainer.max_time = f"00:{int(seconds) // 3600:02}:{int(seconds) // 60 % 60:02}:{int(seconds) % 60:02}"
    cfg.run_dir = str(root / "run")
    train(check(Train, cfg), cfg.run_dir, [])
    metrics = json.loads((root / "run" / "metrics.json").read_text())
    names = ("val_kl", "val_kl_constant", "test_kl", "epochs", "train_seconds")
    row = {"row": "best_words, trained", "clips_per_s": metrics["clips_per_second"]}
    row["ms_per_step"] = 1000 * cfg.data.batch_size / metrics["clips_per_second"]
    return row | {name: metrics[name] for name in names} | {"memory_gb": metrics["peak_memory_gb"]}


def notebook(root: Path, on_device: bool, tiny: bool) -> dict:
    """Measure the notebook's training loop; with `on_device`, it repeats a few batches that are on the device."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    on_gpu, seconds, batch_size = device.type == "cuda", 0.1 if tiny else SECONDS, 8 if tiny else 128
    if on_device:
        generator = torch.Generator(device).manual_seed(0)
        features = torch.randn(8, batch_size, 4, 160, 160, device=device, generator=generator)
        targets = torch.randn(8, batch_size, 30, device=device, generator=generator).softmax(dim=2)
        batches: Iterator[tuple[Tensor, Tensor]] = cycle(zip(features, targets, strict=True))
    else:
        batches = notebooks.batches(root, 0 if tiny else 3, 100, batch_size)
    network = MAC("avg", width=2 if tiny else 24).to(device)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.2, momentum=0.9, weight_decay=1e-4)
    scaler = torch.amp.GradScaler(device.type, enabled=on_gpu)

    def step() -> int:
        x, y = next(batches)
        optimizer.zero_grad()
        with torch.autocast(device.type, torch.float16, enabled=on_gpu):
            x, y = x.to(device), y.to(device)
            loss = F.kl_div(network(x), y, reduction="batchmean")
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        loss.item()
        return len(y)

    rate(step, seconds / 4)
    row: dict = {"row": f"notebook, {'clips on the device' if on_device else 'its own loading'}"}
    row["clips_per_s"] = rate(step, seconds)
    row["ms_per_step"] = 1000 * batch_size / row["clips_per_s"]
    if on_gpu:
        row["memory_gb"] = torch.cuda.max_memory_allocated() / 1e9
    return row | {"gpu_busy": busy_share(step, row["ms_per_step"], 2 if tiny else 10)}
