"""Find the audio of clips for report.html in the cache.

Nothing is built, downloaded or written, and no class that a run names is used: the run may come from a stranger.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from tokenize import TokenError
from typing import TYPE_CHECKING

import numpy as np

from overlapped_words.ensembling.combined import CombinedMembers
from overlapped_words.errors import RunError
from overlapped_words.runs.members import Member
from overlapped_words.runs.reading import read_config

if TYPE_CHECKING:
    from overlapped_words.report.audio import Audio

KEY = re.compile("[0-9a-f]{16}")


def find_audio(ensemble: CombinedMembers, kind: str, ids: Sequence[str]) -> tuple[dict[str, Audio], str]:
    """Find the audio of clips in the table `kind`.

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
                array, rows = find_clips(member, "val" if kind.startswith("val_") else "test", len(own))
                audio |= _encode(member, {i: array[rows[own.get_loc(i)]] for i in wanted})
            except (ValueError, OSError) as error:  # any text may stand for a path
                reasons.append(str(error))
    return audio, reasons[0] if reasons and len(audio) < len(ids) else ""


def find_clips(member: Member, split: str, num_clips: int) -> tuple[np.ndarray, np.ndarray]:
    """The cached array `(N, 16000)` int16 with a split's clips, and the rows `(num_clips,)` of the predicted clips.

    Raises:
        RunError: the array is not in the cache, or the run does not record which one it is.
    """
    key = member.metrics.get("cache_keys", {}).get(split, "")
    cache_dir = read_config(member.path).get("data", {}).get("cache_dir")
    if cache_dir is None or not KEY.fullmatch(key):
        raise RunError(f"{member.path} does not record its training data")
    folder = Path(os.path.expanduser(cache_dir))
    candidates = [folder / f"{content}-{key}.npy" for content in ("mixtures", "waveforms")]
    path = next((candidate for candidate in candidates if candidate.is_file()), None)
    if path is None:
        raise RunError(f"{folder} no longer contains the clips of {member.name}")
    from datamodules.waveforms import NUM_SAMPLES  # imports torch, which ensemble.py needs only for audio

    array = _open(path, np.int16, NUM_SAMPLES)
    recorded = member.path / ("cache_rows.npy" if split == "test" else f"{split}_cache_rows.npy")
    if recorded.is_file():
        rows = _open(recorded, np.int32)
    elif path == candidates[0]:  # mixtures, of a run from before rows were recorded: they are in order
        rows = np.arange(len(array))
    else:
        raise RunError(f"{member.path} does not record which rows of {path.name} are its clips")
    if len(rows) != num_clips or not ((rows >= 0) & (rows < len(array))).all():
        raise RunError(f"{path} contains other clips than those of {member.name}")
    return array, rows


def _open(path: Path, dtype: type, *shape: int) -> np.ndarray:
    """Map an array `(N, *shape)` into memory."""
    try:
        array = np.lib.format.open_memmap(path, mode="r")
    except (ValueError, OverflowError, TokenError) as error:
        raise RunError(f"{path}: not an array, or a damaged one; delete it") from error
    if array.dtype != dtype or array.ndim != 1 + len(shape) or array.shape[1:] != shape:
        raise RunError(f"{path}: contains {array.dtype} {array.shape}, not {np.dtype(dtype)} {('N', *shape)}")
    return array


def _encode(member: Member, waveforms: dict[str, np.ndarray]) -> dict[str, Audio]:
    from datamodules.features import MultiResolutionMel
    from overlapped_words.inference.member import feature_shape
    from overlapped_words.report.audio import encode

    features = read_config(member.path).get("features", {})
    try:
        feature_shape(features)  # checked before anything is allocated
        front_end = MultiResolutionMel(**features)
    except (ValueError, TypeError) as error:
        raise RunError(f"{member.path}: features cannot be computed ({error})") from error
    return {i: encode(waveform, front_end) for i, waveform in waveforms.items()}
