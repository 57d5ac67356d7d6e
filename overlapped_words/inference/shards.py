"""Predict a large table in shards: processes or machines that share only its folder each predict one part."""

from collections.abc import Sequence
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path

from datamodules.cache import cache_key
from overlapped_words.errors import SettingError
from overlapped_words.inference.checkpoints import find_fitted
from overlapped_words.inference.files import Inputs, check_output
from overlapped_words.inference.model import Model
from overlapped_words.inference.predictor import load_predictor
from overlapped_words.inference.tables import predict_table, write_predictions
from overlapped_words.messages import count, printable
from overlapped_words.runs.files import write_bytes
from overlapped_words.settings.scripts import Predict


def predict_shard(cfg: Predict, inputs: Inputs, checkpoints: list[Path], output: Path) -> None:
    """Predict one part of the table `output` unless it exists; merge the parts once all of them exist.

    The name of a part has a hash of everything that it depends on. Recordings and checkpoints count as unchanged while
    their paths, sizes and modification times are.

    Raises:
        SettingError: `inputs` is one recording, or another table exists and must not be overwritten.
        DataError: recordings cannot be read.
    """
    if inputs.alone:
        raise SettingError(
            f"{inputs.paths[0]}: one recording cannot be split into {cfg.shards} shards; leave out shards and shard"
        )
    batch_size = cfg.batch_size if cfg.loudest else 1  # a timeline's batches are windows of one recording
    stacking, rule = find_fitted(checkpoints)
    how = [cfg.hop, cfg.events, cfg.threshold, cfg.skip_unreadable]
    settings = [batch_size, *how, stacking and asdict(stacking), asdict(rule)]
    folder, parts = Path(f"{output}.shards"), []
    blocks = [Inputs(inputs.ids[own], inputs.paths[own]) for own in cut(len(inputs.ids), batch_size, cfg.shards)]
    for i, block in enumerate(blocks):
        # A path that does not exist counts as text; the shard that reads it reports the error.
        known = [path if path.exists() else str(path) for path in (*checkpoints, *block.paths)]
        parts.append(folder / f"part-{i}-of-{cfg.shards}-{cache_key(settings, block.ids, known)}.csv")
    own, part = blocks[cfg.shard], parts[cfg.shard]
    check_output(output, [], cfg.overwrite or all(path.exists() for path in parts))
    folder.mkdir(parents=True, exist_ok=True)
    if not part.exists():
        errors: dict[Path, str] = {}
        table, _ = predict_table(cfg, Model(load_predictor(checkpoints, cfg.device)), own, errors)
        write_predictions(part, table, errors, header=cfg.shard == 0)
    if missing := sum(not path.exists() for path in parts):
        outcome = f"{missing} of {cfg.shards} parts missing, the others are in {printable(str(folder))}"
    else:
        merge(parts, output, cfg.overwrite)
        outcome = f"merged all parts into {printable(str(output))}"
    print(f"shard {cfg.shard} of {cfg.shards}, {count(len(own.ids), 'recording')}: {outcome}")


def cut(num_recordings: int, batch_size: int, shards: int) -> list[slice]:
    """Cut the recordings into one contiguous block per shard; their sizes differ by at most one batch.

    Blocks are whole batches, the same as in one process: the last digits of a probability depend on its batch.
    """
    starts = [*range(0, num_recordings, batch_size), num_recordings]
    batches = len(starts) - 1
    bounds = [starts[-(-batches * i // shards)] for i in range(shards + 1)]  # rounded up: the first is never empty
    return [slice(*pair) for pair in pairwise(bounds)]


def merge(parts: Sequence[Path], output: Path, overwrite: bool) -> None:
    """Write the table from all its parts, and delete the parts of other jobs."""
    table = b"".join(part.read_bytes() for part in parts)
    if not output.exists() or output.read_bytes() != table:
        check_output(output, [], overwrite)
        write_bytes(output, table)
    for stale in set(parts[0].parent.glob("part-*.csv")) - set(parts):
        stale.unlink(missing_ok=True)  # another shard may be doing the same
