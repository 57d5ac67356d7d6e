"""Draw features, predictions next to targets, and timelines."""

import logging
import math
import warnings
from collections.abc import Iterable, Sequence
from functools import cache
from io import BytesIO
from os.path import isfile

import numpy as np
import pandas as pd
import torch
from matplotlib import get_cachedir, rcParams
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, fontManager, get_font
from matplotlib.ticker import MaxNLocator, MultipleLocator
from torch import Tensor

from overlapped_words.messages import count, printable

log = logging.getLogger(__name__)
_warn_once = cache(log.warning)
warnings.filterwarnings("ignore", r"Glyph \d+ .*missing from")  # Matplotlib's, one for each glyph

COLORS = "magma"
STEPS = (15, 30, 60, 120, 300, 600, 900, 1800, 3600)  # seconds between the ticks of a long recording


def as_png(figure: Figure) -> bytes:
    """The content of a PNG file."""
    content = BytesIO()
    figure.savefig(content, format="png", dpi=120)
    return content.getvalue()


def draw_features(features: Tensor, win_lengths: Sequence[int]) -> Figure:
    """Draw the features of one clip, `(C, F, T)`, as spectrograms with one color scale, two per row.

    Args:
        win_lengths: one per spectrogram, in samples.
    """
    rows = (len(features) + 1) // 2
    figure = Figure(figsize=(6, 1 + 2.2 * rows), layout="constrained")
    axes = figure.subplots(rows, 2, sharex=True, sharey=True, squeeze=False).flatten()
    for axis, spectrogram, win_length in zip(axes, features, win_lengths, strict=False):
        extent = (0, 1, 0, len(spectrogram))  # a clip is one second
        image = axis.imshow(spectrogram, origin="lower", aspect="auto", extent=extent, vmin=-3, vmax=3, cmap=COLORS)
        axis.set_title(f"window of {win_length} samples")
        axis.xaxis.set_major_locator(MaxNLocator(4, prune="upper"))  # or it would touch the next plot's zero
    for axis in axes[len(features) :]:
        axis.set_axis_off()
    figure.supxlabel("time (s)")
    figure.supylabel("mel band")
    figure.colorbar(image, ax=axes, label="level above the clip's mean (20 dB)")
    return figure


def draw_predictions(probs: Tensor, targets: Tensor, class_names: Sequence[str]) -> Figure:
    """Draw predictions over targets, both `(N, num_classes)`, as bars; one column per clip."""
    figure = Figure(figsize=(0.6 + 2.6 * len(probs), 1.3 + 0.22 * len(class_names)), layout="constrained")
    axes = figure.subplots(1, len(probs), sharey=True, sharex=True, squeeze=False)[0]
    words = torch.arange(len(class_names))
    for i, axis in enumerate(axes):
        axis.barh(words, targets[i], height=0.9, color="0.82", label="target")
        axis.barh(words, probs[i], height=0.45, color="tab:red", label="prediction")
        axis.set(title=f"clip {i}", xlabel="probability", ylim=(len(class_names) - 0.4, -0.6))
    _name_rows(axes[0], class_names)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper right", ncols=2)
    return figure


def draw_timeline(
    timeline: pd.DataFrame, events: pd.DataFrame | None = None, num_words: int = 12, width: float = 10
) -> Figure:
    """Draw a timeline, see `Model.timeline`, as a heat map: words in the order of their peaks, against time.

    Args:
        events: to mark, see `Model.events`.
        num_words: how many of the most probable words to draw, or more so that all words with events are drawn.
        width: of the figure, in inches.
    """
    found = set() if events is None else set(events["word"])
    peaks = (timeline.max() + timeline.columns.isin(found)).nlargest(max(num_words, len(found)))
    words = timeline[peaks.index].reset_index(drop=True).idxmax().sort_values(kind="stable").index
    starts, ends = (timeline.index.get_level_values(name).to_numpy() for name in ("start_s", "end_s"))
    centers = (starts + ends) / 2
    edges = np.concatenate([starts[:1], (centers[1:] + centers[:-1]) / 2, ends[-1:]])
    figure = Figure(figsize=(width, 1.4 + 0.3 * len(words)), layout="constrained")
    axis = figure.subplots()
    rows = np.arange(len(words) + 1) - 0.5
    image = axis.pcolormesh(edges, rows, timeline[words].T, vmin=0, cmap=COLORS, rasterized=True)
    _name_rows(axis, words)
    if events is not None:
        starts, ends = events["start_s"].to_numpy(), events["end_s"].to_numpy()
        where = words.get_indexer(pd.Index(events["word"]))
        axis.barh(where, ends - starts, left=starts, height=0.9, fill=False, edgecolor="tab:cyan", linewidth=1.5)
        axis.set_xlim(edges[0], edges[-1])
    if rest := timeline.shape[1] - len(words):
        axis.set_title(f"{count(rest, 'less probable word')} not shown", fontsize="medium")
    axis.invert_yaxis()  # the first word at the top
    _mark_time(axis, edges[-1], most=round(width))
    figure.colorbar(image, label="probability")
    return figure


def _name_rows(axis: Axes, words: Iterable[str]) -> None:
    """Label the y axis with words; by default `$` would start a formula."""
    labels = [printable(word) for word in words]
    families = font_families(frozenset("".join(labels)))
    axis.set_yticks(range(len(labels)), labels, parse_math=False, fontfamily=families)


@cache
def font_families(characters: frozenset[str]) -> list[str]:
    """Matplotlib's font family and, for characters that it lacks, installed ones; warns once if none has them."""
    families = list(rcParams["font.family"])
    missing = {ord(character) for character in characters} - get_font(findfont(FontProperties())).get_charmap().keys()
    for font in fontManager.ttflist:
        # The last resort has a box for every character; an older list names fonts that are no longer installed.
        if missing and font.style == "normal" and not font.name.startswith("Last Resort") and isfile(font.fname):
            found = missing & get_font(font.fname).get_charmap().keys()
            families += [font.name] if found else []
            missing -= found
    if missing:
        remedy = "install one, such as Noto Sans CJK, and delete %s, Matplotlib's list of fonts"
        _warn_once(f"no font that Matplotlib knows has all characters of the words; {remedy}", get_cachedir())
    return families


def _mark_time(axis: Axes, duration: float, most: int) -> None:
    """Label an x axis of seconds; from two minutes on, with up to `most` ticks at round times."""
    if duration < 120:
        axis.set_xlabel("time (s)")
        return
    step = next((step for step in STEPS if duration <= most * step), STEPS[-1] * math.ceil(duration / most / STEPS[-1]))
    axis.xaxis.set_major_locator(MultipleLocator(step))
    axis.xaxis.set_major_formatter(lambda second, _: f"{second // 60:.0f}:{second % 60:02.0f}")
    axis.set_xlabel("time (min:s)")
