"""The audio of clips for report.html, from the array in the cache that the run records.

Nothing is built, downloaded or written, and no class that a run names is used: the run may come from a stranger.
"""

import os
import re
from base64 import b64encode
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from tokenize import TokenError
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from overlapped_words.ensembling.combined import CombinedMembers
from overlapped_words.errors import RunError
from overlapped_words.runs.members import Member
from overlapped_words.runs.reading import read_config

if TYPE_CHECKING:
    from datamodules.features import MultiResolutionMel  # imports torch, which ensemble.py needs only for audio

KEY = re.compile("[0-9a-f]{16}")
NUM_COLUMNS = 200  # width of the waveform's view box


class Audio(NamedTuple):
    """One clip as parts of a page."""

    flac: str  # `data:` URL of the samples
    features: str  # `data:` URL of a WebP image, the features of the shortest and the longest window side by side
    waveform: str  # SVG path in a view box of 200 x 2


def find_audio(ensemble: CombinedMembers, kind: str, ids: Sequence[str]) -> tuple[dict[str, Audio], str]:
    """Find the audio of clips in the table `kind`.

    Returns:
        Audio by clip id, and why some is missing (empty if none is).
    """
    audio: dict[str, Audio] = {}
    reason = ""
    for member in ensemble.members:  # without folds, the first member has all clips
        own = ensemble.tables[member.name][kind].index
        wanted = [i for i in ids if i in own and i not in audio]
        if wanted:
            try:
                array, rows = find_clips(member, "" if kind == "predictions" else "val_", len(own))
                front_end = _front_end(member)
                audio |= {i: encode(array[rows[own.get_loc(i)]], front_end) for i in wanted}
            except (ValueError, OSError) as error:  # any text may stand for a path
                reason = reason or str(error)
    return audio, reason if len(audio) < len(ids) else ""


def find_clips(member: Member, prefix: str, num_clips: int) -> tuple[np.ndarray, np.ndarray]:
    """The cached array `(N, 16000)` int16 with the clips of a split, and the rows `(num_clips,)` of these clips.

    Args:
        prefix: of the split's files, `val_` or, for the test clips, empty.

    Raises:
        RunError: the array is not in the cache, or the run does not record which one it is.
    """
    key = member.metrics.get("cache_keys", {}).get("val" if prefix else "test", "")
    cache_dir = read_config(member.path).get("data", {}).get("cache_dir")
    recorded = member.path / f"{prefix}cache_rows.npy"
    if cache_dir is None or not KEY.fullmatch(key) or not recorded.is_file():
        raise RunError(f"{member.path} does not record its training data")
    folder = Path(os.path.expanduser(cache_dir))
    paths = [folder / f"{content}-{key}.npy" for content in ("mixtures", "waveforms")]
    path = next((path for path in paths if path.is_file()), None)
    if path is None:
        raise RunError(f"{folder} no longer contains the clips of {member.name}")
    from datamodules.waveforms import NUM_SAMPLES

    try:
        array, rows = (np.lib.format.open_memmap(file, mode="r") for file in (path, recorded))
    except (ValueError, OverflowError, TokenError) as error:
        raise RunError(f"{path} or {recorded}: not an array, or a damaged one; delete it") from error
    is_audio = array.dtype == np.int16 and array.shape[1:] == (NUM_SAMPLES,)
    is_rows = rows.dtype == np.int32 and rows.shape == (num_clips,)
    if not is_audio or not is_rows or not np.isin(rows, np.arange(len(array))).all():
        raise RunError(f"{path} contains other clips than those of {member.name}")
    return array, rows


def _front_end(member: Member) -> "MultiResolutionMel":
    from datamodules.features import MultiResolutionMel
    from overlapped_words.inference.member import feature_shape

    features = read_config(member.path).get("features", {})
    try:
        feature_shape(features)  # checked before anything is allocated
        return MultiResolutionMel(**features)
    except (ValueError, TypeError) as error:
        raise RunError(f"{member.path}: features cannot be computed ({error})") from error


def encode(waveform: np.ndarray, front_end: "MultiResolutionMel") -> Audio:
    """Encode a clip from the cache, int16 `(T,)`."""
    import soundfile
    import torch
    from matplotlib.image import imsave

    from datamodules.waveforms import SAMPLE_RATE, from_int16

    flac, image = BytesIO(), BytesIO()
    soundfile.write(flac, waveform, SAMPLE_RATE, format="FLAC")
    samples = from_int16(waveform)
    features = front_end(torch.from_numpy(samples[None]))[0].numpy()  # (C, F, T)
    # The shortest window has the best time resolution, the longest the best frequency resolution.
    pair = np.concatenate([features[0], features[-1]], axis=1)
    imsave(image, pair, vmin=-3, vmax=3, cmap="magma", origin="lower", format="webp", pil_kwargs={"quality": 80})
    return Audio(_data_url("audio/flac", flac), _data_url("image/webp", image), _envelope(samples))


def _data_url(mime_type: str, data: BytesIO) -> str:
    return f"data:{mime_type};base64,{b64encode(data.getvalue()).decode()}"


def _envelope(waveform: np.ndarray) -> str:
    """Draw `(T,)` in [-1, 1], scaled to its peak: along the maximum of each column and back along the minimum."""
    columns = np.array_split(waveform / max(np.abs(waveform).max(), 1e-3), NUM_COLUMNS)
    upper = [f"{x},{1 - column.max():.3f}" for x, column in enumerate(columns)]
    lower = [f"{x},{1 - column.min():.3f}" for x, column in enumerate(columns)]
    return f"M{'L'.join(upper + lower[::-1])}Z"
