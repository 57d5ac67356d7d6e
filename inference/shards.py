"""A large table made in parts, by processes or machines that share nothing but its folder."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from datamodules.cache import cache_key
from inference.outputs import check_writable
from runs.files import write_bytes


def cut(num_recordings: int, batch_size: int, shards: int) -> list[slice]:
    """The recordings of each shard: contiguous blocks, none of them over one batch longer than another.

    Blocks are whole batches, the same as of one process alone: the last digits of a probability depend on its batch.
    """
    starts = [*range(0, num_recordings, batch_size), num_recordings]
    batches = len(starts) - 1
    bounds = [starts[-(-batches * i // shards)] for i in range(shards + 1)]  # rounded up: the first is never empty
    return [slice(*pair) for pair in pairwise(bounds)]


def part_paths(
    output: Path,
    blocks: Sequence[slice],
    settings: Sequence[Any],
    ids: Sequence[str],
    paths: Sequence[Path],
    models: list[Path],
) -> list[Path]:
    """Where the blocks' rows of `output` go: each to another file as soon as anything changes that it is made of.

    Recordings and checkpoints (`models`) are the same while their paths, sizes and times of change are; `settings` are
    plain values.
    """

    def key(block: slice) -> str:
        files = [*models, *paths[block]]
        known = [path if path.exists() else str(path) for path in files]  # the shard that reads it says it is missing
        return cache_key(settings, ids[block], known)

    folder = Path(f"{output}.shards")
    return [folder / f"part-{i}-of-{len(blocks)}-{key(block)}.csv" for i, block in enumerate(blocks)]


def merge(parts: Sequence[Path], output: Path, overwrite: bool) -> int:
    """The table, once all its parts are there; they stay, those of other jobs go. Returns how many are missing.

    Raises:
        SettingError: another table is there and must not be overwritten.
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
