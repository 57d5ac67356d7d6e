"""Predict a large table in shards: processes or machines that share only its folder each predict one part."""

from collections.abc import Sequence
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import Any

from datamodules.cache import cache_key
from overlapped_words.errors import SettingError
from overlapped_words.inference.checkpoints import find_stacking_weights
from overlapped_words.inference.inputs import Inputs
from overlapped_words.inference.model import Model
from overlapped_words.inference.outputs import check_writable
from overlapped_words.inference.predictor import load_predictor
from overlapped_words.inference.tables import join_timelines, predict_clips, predict_timelines, write_predictions
from overlapped_words.messages import count, printable
from overlapped_words.runs.files import write_bytes
from overlapped_words.settings.predict import Predict


def predict_shard(cfg: Predict, inputs: Inputs, checkpoints: list[Path], output: Path) -> None:
    """Predict one part of the table `output` unless it exists; merge the parts once all of them exist.

    Raises:
        SettingError: `inputs` is one recording, or another table exists and must not be overwritten.
        DataError: recordings cannot be read.
    """
    if inputs.alone:
        raise SettingError(
            f"{inputs.paths[0]}: one recording cannot be split into {cfg.shards} shards; leave out shards and shard"
        )
    batch_size = cfg.batch_size if cfg.hop is None else 1  # a timeline's batches are windows of one recording
    blocks = cut(len(inputs.ids), batch_size, cfg.shards)
    stacking = find_stacking_weights(checkpoints)
    settings = [batch_size, cfg.hop, cfg.skip_unreadable, stacking and asdict(stacking)]
    parts = part_paths(output, blocks, settings, inputs, checkpoints)
    block, part = blocks[cfg.shard], parts[cfg.shard]
    own = Inputs(inputs.ids[block], inputs.paths[block])
    check_writable(output, [], cfg.overwrite or all(path.exists() for path in parts))
    part.parent.mkdir(parents=True, exist_ok=True)
    if not part.exists():
        unreadable: dict[Path, str] | None = {} if cfg.skip_unreadable else None
        model = Model(load_predictor(checkpoints, cfg.device))
        if cfg.hop is None:
            table = predict_clips(model, own, batch_size, unreadable)
        else:
            table = join_timelines(model, own, predict_timelines(model, own, cfg.hop, unreadable))
        write_predictions(part, table, unreadable, header=cfg.shard == 0)
    missing = merge(parts, output, cfg.overwrite)
    outcome = f"merged all parts into {printable(str(output))}"
    if missing:
        outcome = f"{missing} of {cfg.shards} parts missing, the others are in {printable(str(part.parent))}"
    print(f"shard {cfg.shard} of {cfg.shards}, {count(len(own.ids), 'recording')}: {outcome}")


def cut(num_recordings: int, batch_size: int, shards: int) -> list[slice]:
    """Cut the recordings into one contiguous block per shard; their sizes differ by at most one batch.

    Blocks are whole batches, the same as in one process: the last digits of a probability depend on its batch.
    """
    starts = [*range(0, num_recordings, batch_size), num_recordings]
    batches = len(starts) - 1
    bounds = [starts[-(-batches * i // shards)] for i in range(shards + 1)]  # rounded up: the first is never empty
    return [slice(*pair) for pair in pairwise(bounds)]


def part_paths(
    output: Path, blocks: Sequence[slice], settings: Sequence[Any], inputs: Inputs, checkpoints: list[Path]
) -> list[Path]:
    """The file of each block of `output`; its name has a hash of everything that the part depends on.

    Recordings and checkpoints count as unchanged while their paths, sizes and modification times are. `settings` are
    plain values.
    """

    def key(block: slice) -> str:
        files = [*checkpoints, *inputs.paths[block]]
        known = [path if path.exists() else str(path) for path in files]  # the shard that reads it reports the error
        return cache_key(settings, inputs.ids[block], known)

    folder = Path(f"{output}.shards")
    return [folder / f"part-{i}-of-{len(blocks)}-{key(block)}.csv" for i, block in enumerate(blocks)]


def merge(parts: Sequence[Path], output: Path, overwrite: bool) -> int:
    """Write the table once all its parts exist, and delete the parts of other jobs. Return the number missing.

    Raises:
        SettingError: another table exists and must not be overwritten.
    """
    missing = sum(not part.exists() for part in parts)
    if not missing:
        table = b"".join(part.read_bytes() for part in parts)
        if not output.exists() or output.read_bytes() != table:
            check_writable(output, [], overwrite)
            write_bytes(output, table)
        for stale in set(parts[0].parent.glob("part-*.csv")) - set(parts):
            stale.unlink(missing_ok=True)  # another shard may be doing the same
    return missing
