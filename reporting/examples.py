"""The clips that a page shows, and where their sound comes from: the source that a member was trained with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ensembling.combine import Tables
from ensembling.metrics import kl_divergence, top_k
from errors import RunError
from runs.members import Member
from runs.reading import read_config

if TYPE_CHECKING:  # they bring torch, which averaging does without
    from datamodules.clips import Clips, Splits
    from reporting.audio import Sound

SHOWN = 8  # clips at either end


@dataclass(frozen=True)
class Clip:
    """A clip on the page. `score` is its KL (nats) or, where answers are not known, the entropy of what is predicted;
    `words` gives (word, true share or None, predicted share), the most probable first."""

    id: str
    score: float
    words: list[tuple[str, float | None, float]]


def best_and_worst(probs: pd.DataFrame, answers: pd.DataFrame | None) -> tuple[list[Clip], list[Clip]]:
    """The clips of the lowest scores, the lowest first, and those of the highest, the highest first; up to eight each
    and none in both. Of words, the true ones and as many of the most probable; without answers, five."""
    values = probs.to_numpy()
    if answers is None:
        scores = -(values * np.log(np.where(values > 0, values, 1))).sum(axis=1)
        shares, shown = None, np.argsort(np.argsort(-values, axis=1, kind="stable"), axis=1) < 5
    else:
        shares = answers.to_numpy()
        scores, shown = kl_divergence(shares, values), (shares > 0) | top_k(shares, values)

    def clip(i: int) -> Clip:
        order = [j for j in np.argsort(-values[i], kind="stable") if shown[i, j]]
        words = [(probs.columns[j], None if shares is None else float(shares[i, j]), values[i, j]) for j in order]
        return Clip(probs.index[i], float(scores[i]), words)

    order = np.argsort(scores, kind="stable")
    number = min(SHOWN, len(order) // 2)
    return [clip(i) for i in order[:number]], [clip(i) for i in order[::-1][:number]]


def find_audio(
    members: Sequence[Member],
    tables: dict[str, Tables],
    kind: str,
    ids: Sequence[str],
    load: Callable[[Member], Splits],
) -> tuple[dict[str, Sound], str]:
    """The sound of clips out of the table `kind`, by id, and why that of some is missing; empty if none is.

    `load` gives the data of a member. Only what the cache still holds is taken: to read 100,000 recordings again for
    a few clips would take longer than all the rest.
    """
    sounds: dict[str, Sound] = {}
    reasons = []
    for member in members:  # the first one has them all, but of a cross-validation
        there = tables[member.name][kind].index
        wanted = [i for i in ids if i in there and i not in sounds]
        if wanted:
            try:
                clips = _load_clips(member, "val" if kind.startswith("val_") else "test", load)
            except (ValueError, OSError) as error:
                reasons.append(str(error))
            else:
                sounds |= _encode(member, clips, wanted)
    return sounds, reasons[0] if reasons and len(sounds) < len(ids) else ""


def _load_clips(member: Member, split: str, load: Callable[[Member], Splits]) -> Clips:
    """The member's clips of a split, if they are those that it was trained with.

    Raises:
        ValueError: they are not, or are no longer there.
    """
    key = member.metrics.get("cache_keys", {}).get(split)
    cache_dir = read_config(member.path).get("data", {}).get("cache_dir")
    if key is None or cache_dir is None:
        raise RunError(f"{member.path} does not tell which data it was trained with")
    folder = Path(cache_dir).expanduser()
    if not list(folder.glob(f"*-{key}.npy")):
        raise RunError(f"{folder} no longer holds the clips that {member.name} was trained with")
    clips = getattr(load(member), split)
    if clips is None or clips.key != key:
        raise RunError(f"the recordings have changed since {member.name} was trained")
    return clips


def _encode(member: Member, clips: Clips, ids: Sequence[str]) -> dict[str, Sound]:
    from datamodules.features import MultiResolutionMel
    from reporting.audio import encode

    features = MultiResolutionMel(**read_config(member.path).get("features", {}))
    rows = dict(zip(clips.ids, clips.rows, strict=True))
    return {i: encode(clips.array[rows[i]], features) for i in ids if i in rows}
