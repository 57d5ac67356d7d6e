"""Select the clips that report.html shows, and load their audio from the cache."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from overlapped_words.ensembling.ensemble import Ensemble
from overlapped_words.ensembling.metrics import kl_divergence, top_k
from overlapped_words.errors import RunError
from overlapped_words.runs.members import Member
from overlapped_words.runs.reading import read_config
from overlapped_words.settings.component import build

if TYPE_CHECKING:  # these import torch, which ensemble.py needs only for audio
    from datamodules.clips import Clips, Splits
    from overlapped_words.report.audio import Audio

NUM_EXAMPLES = 8  # best and worst clips each
NUM_WORDS = 5  # shown per clip without targets


@dataclass(frozen=True)
class Clip:
    """A clip on the page.

    Attributes:
        score: its KL (nats) or, without targets, the entropy of its prediction.
        words: (word, target or None, prediction), the most probable first.
    """

    id: str
    score: float
    words: list[tuple[str, float | None, float]]


def best_and_worst(probs: pd.DataFrame, targets: pd.DataFrame | None) -> tuple[list[Clip], list[Clip]]:
    """Select the clips with the lowest scores (lowest first) and with the highest (highest first).

    At most NUM_EXAMPLES each; no clip is in both lists. Each clip shows its true words and its k most probable ones, or
    without targets its NUM_WORDS most probable ones.
    """
    values = probs.to_numpy()
    if targets is None:
        scores = -(values * np.log(np.where(values > 0, values, 1))).sum(axis=1)
        true, shown = None, np.argsort(np.argsort(-values, axis=1, kind="stable"), axis=1) < NUM_WORDS
    else:
        true = targets.to_numpy()
        scores, shown = kl_divergence(true, values), (true > 0) | top_k(true, values)

    def clip(i: int) -> Clip:
        order = [j for j in np.argsort(-values[i], kind="stable") if shown[i, j]]
        words = [(probs.columns[j], None if true is None else float(true[i, j]), values[i, j]) for j in order]
        return Clip(probs.index[i], float(scores[i]), words)

    order = np.argsort(scores, kind="stable")
    number = min(NUM_EXAMPLES, len(order) // 2)
    return [clip(i) for i in order[:number]], [clip(i) for i in order[::-1][:number]]


def load_splits(member: Member) -> Splits:
    """Load the data that a member was trained with, from the source in its configuration.

    Raises:
        UserError, OSError: the data is gone, or the configuration does not name it.
    """
    config = read_config(member.path)
    skip = ("batch_size", "num_workers", "cache", "cache_dir", "device_cache", "source")
    data = {name: value for name, value in config["data"].items() if name not in skip}
    source = build("data", data | config["data"]["source"])
    return source.load(Path(config["data"]["cache_dir"]).expanduser(), config.get("seed", 0))


def find_audio(
    ensemble: Ensemble, kind: str, ids: Sequence[str], load: Callable[[Member], Splits]
) -> tuple[dict[str, Audio], str]:
    """Find the audio of clips in the table `kind`; only in the cache, because reading all recordings takes too long.

    Args:
        load: returns the data of a member, see `load_splits`.

    Returns:
        Audio by clip id, and why some is missing (empty if none is).
    """
    audio: dict[str, Audio] = {}
    reasons = []
    for member in ensemble.members:  # without folds, the first member has all clips
        own = ensemble.tables[member.name][kind].index
        wanted = [i for i in ids if i in own and i not in audio]
        if wanted:
            try:
                clips = _load_clips(member, "val" if kind.startswith("val_") else "test", load)
            except (ValueError, OSError) as error:
                reasons.append(str(error))
            else:
                audio |= _encode(member, clips, wanted)
    return audio, reasons[0] if reasons and len(audio) < len(ids) else ""


def _load_clips(member: Member, split: str, load: Callable[[Member], Splits]) -> Clips:
    """Load a split of the member's data, and check that it is the one used in training.

    Raises:
        ValueError: it is a different one, or is no longer in the cache.
    """
    key = member.metrics.get("cache_keys", {}).get(split)
    cache_dir = read_config(member.path).get("data", {}).get("cache_dir")
    if key is None or cache_dir is None:
        raise RunError(f"{member.path} does not record its training data")
    folder = Path(cache_dir).expanduser()
    if not list(folder.glob(f"*-{key}.npy")):
        raise RunError(f"{folder} no longer contains the clips of {member.name}")
    clips = getattr(load(member), split)
    if clips is None or clips.key != key:
        raise RunError(f"the recordings have changed since {member.name} was trained")
    return clips


def _encode(member: Member, clips: Clips, ids: Sequence[str]) -> dict[str, Audio]:
    from datamodules.features import MultiResolutionMel
    from overlapped_words.report.audio import encode

    front_end = MultiResolutionMel(**read_config(member.path).get("features", {}))
    rows = dict(zip(clips.ids, clips.rows, strict=True))
    return {i: encode(clips.array[rows[i]], front_end) for i in ids if i in rows}
