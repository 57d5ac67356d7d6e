"""conf/trainer: arguments of lightning.Trainer. Any other of its arguments can be added, `+trainer.name=value`."""

import re
from datetime import timedelta
from typing import Annotated, Literal

from pydantic.dataclasses import dataclass

from overlapped_words.settings.fields import (
    OPEN,
    Count,
    Flag,
    Index,
    Path,
    Target,
    either,
    list_of,
    real,
    tested,
    text,
    whole,
)
from overlapped_words.settings.plugin import Plugin

Accelerator = Literal["auto", "cpu", "gpu", "cuda", "mps", "tpu"]
Precision = Literal["auto", "16-mixed", "bf16-mixed", "32-true", "16", "bf16", "32", 16, 32]  # features are float32
Strategy = Literal[
    "auto", "single_device",
    "ddp", "ddp_find_unused_parameters_false", "ddp_find_unused_parameters_true",
    "ddp_spawn", "ddp_spawn_find_unused_parameters_false", "ddp_spawn_find_unused_parameters_true",
    "ddp_fork", "ddp_fork_find_unused_parameters_false", "ddp_fork_find_unused_parameters_true",
    "ddp_notebook", "ddp_notebook_find_unused_parameters_false", "ddp_notebook_find_unused_parameters_true",
    "fsdp", "fsdp_cpu_offload", "deepspeed", "deepspeed_stage_1", "deepspeed_stage_2", "deepspeed_stage_2_offload",
    "deepspeed_stage_3", "deepspeed_stage_3_offload", "deepspeed_stage_3_offload_nvme",
    "single_tpu", "single_xla", "xla", "xla_debug",
]  # fmt: skip
Batches = Annotated[
    float,
    either(whole(1), real(above=0, most=1), remedy="give a fraction of the batches up to 1.0, or their number"),
]


def _is_duration(value: object) -> bool:
    if isinstance(value, str):
        return re.fullmatch(r"\d{1,4}(:\d{1,4}){3}", value) is not None and any(map(int, value.split(":")))
    return isinstance(value, dict) and timedelta() < timedelta(**value)


DURATION = tested(_is_duration, "give days:hours:minutes:seconds above 0, such as 00:08:00:00")


@dataclass(config=OPEN, kw_only=True)
class Trainer:
    """How long, on what and in which precision to train."""

    _target_: Target
    """lightning.Trainer or a subclass of it."""
    max_epochs: Annotated[int, whole(1, 1_000_000)]
    """Passes over the training clips, or rounds of new mixtures."""
    accelerator: Accelerator
    """Kind of device; `auto` takes a GPU where there is one."""
    devices: Annotated[
        int | str | list[int],
        either(
            whole(1, 4096),
            text(lambda value: value == "auto"),
            list_of(whole(0, 4096)),
            remedy="give the number of devices, a list of their indices such as [0,1], or auto",
        ),
    ]
    """How many devices share a batch, or which ones."""
    strategy: Strategy | Plugin
    """How several devices work together."""
    precision: Precision
    """`auto`: 16-mixed on CUDA, bf16-mixed on x86 CPUs with AVX512_BF16 or AMX, else 32-true."""
    gradient_clip_val: Annotated[float, real(0)] | None
    """Largest norm of the gradient; null does not clip."""
    benchmark: Flag | None
    """Let cuDNN choose its fastest convolutions."""
    check_val_every_n_epoch: Count
    """Epochs from one validation to the next."""
    num_sanity_val_steps: Annotated[int, whole(-1)]
    """Validation batches before training; -1 takes all."""
    log_every_n_steps: Index
    """Steps from one row of the log to the next; 0 logs epochs only."""
    limit_train_batches: Batches
    """Share or number of an epoch's batches to train on."""
    max_time: Annotated[str | dict[str, int], DURATION] | None = None
    """Stop after the epoch in which this much time is over: days:hours:minutes:seconds."""
    fast_dev_run: Flag
    """One batch through training, validation and prediction; nothing is saved."""
    enable_model_summary: Flag
    """Print the network's layers."""
    default_root_dir: Path
    """Where Lightning writes what no other setting places."""
    plugins: list[Plugin] | None
    """Lightning plugins, such as the one that writes checkpoints."""
