"""Build report.html: a single file with tables, plots and audio that works offline."""

import gzip
import json
from base64 import b64encode
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from lightning_modules.metrics.kl import kl
from overlapped_words.ensembling import error_analysis
from overlapped_words.ensembling.combine import average_scores, member_probs
from overlapped_words.ensembling.combined import CombinedMembers
from overlapped_words.ensembling.error_analysis import top_k
from overlapped_words.messages import count
from overlapped_words.report import report_plots, summary
from overlapped_words.report.audio import find_audio
from overlapped_words.report.template import render
from overlapped_words.runs.members import Member
from overlapped_words.runs.reading import read_epochs

NUM_PAIRS = 15  # of confused words
NUM_EXAMPLES = 8  # best and worst clips each
NUM_WORDS = 5  # shown per clip without targets


class Clip(NamedTuple):
    """A clip on the page."""

    id: str
    score: float  # its KL (nats) or, without targets, the entropy of its prediction
    words: list[tuple[str, float | None, float]]  # (word, target or None, prediction), the most probable first


def build(ensemble: CombinedMembers, metrics: pd.DataFrame) -> str:
    """Build the page of an ensemble.

    It covers the test clips if their targets are known, otherwise the validation clips. Without any targets, it shows
    the predictions for the test clips.

    Args:
        metrics: from `overlapped_words.report.summary.metrics_table`.
    """
    combined = ensemble.combined
    use_test = "test_answers" in combined or "val_answers" not in combined
    kind, targets_kind = ("predictions", "test_answers") if use_test else ("val_predictions", "val_answers")
    probs, targets = combined[kind], combined.get(targets_kind)
    plots = _curves(ensemble.members)
    if targets is None:
        means = probs.mean().sort_values(ascending=False)
        plots["mean_probs"] = report_plots.bars(means.index, means, "mean probability", "%{x:.4f}")
    else:
        plots |= _gains(ensemble, kind, targets) | _errors(targets, probs)
    if (any_word := average_scores(ensemble.members, "any_word")) is not None:
        plots["false_alarms"] = report_plots.false_alarms(error_analysis.false_alarms(any_word))
    best, worst = best_and_worst(probs, targets)
    audio, missing_audio = find_audio(ensemble, kind, [clip.id for clip in best + worst])
    return render(
        "report.html",
        title=ensemble.title,
        headline=summary.headline(metrics),
        cells=summary.cells(metrics),
        num_members=len(ensemble.members),
        left_out=ensemble.errors,
        split="test" if use_test else "validation",
        num_clips=len(probs),
        has_targets=targets is not None,
        plots={name: json.loads(plot.to_json()) for name, plot in plots.items()},
        themes=report_plots.THEMES,
        script=b64encode(gzip.compress(get_plotlyjs().encode(), mtime=0)).decode(),  # 2 MB instead of 5
        best=best,
        worst=worst,
        audio=audio,
        missing_audio=missing_audio,
    )


def _curves(members: Sequence[Member]) -> dict[str, go.Figure]:
    """Plot the training curves that the members have."""
    epochs = [read_epochs(member.path / "metrics.csv") for member in members]
    titles = {"train/loss": ("loss", "training loss"), "val/kl": ("val_kl", "validation KL (nats)")}
    return {
        name: report_plots.epoch_curves(members, epochs, column, title)
        for column, (name, title) in titles.items()
        if any(column in table for table in epochs)
    }


def _gains(ensemble: CombinedMembers, kind: str, targets: pd.DataFrame) -> dict[str, go.Figure]:
    """Plot the gain from averaging; nothing for a single member."""
    probs = member_probs(ensemble.members, ensemble.tables, kind)  # (M, N, num_classes)
    if len(probs) == 1:
        return {}
    values = targets.to_numpy()
    names = [member.name for member in ensemble.members]
    if len(names) > len(probs):  # cross-validation: members of different folds are joined
        names = [f"member {i + 1} of each fold" for i in range(len(probs))]
    kls = np.array([kl(values, own).mean() for own in probs])
    curves = error_analysis.kl_by_number(values, probs)
    gap = report_plots.diversity(names, kls, ensemble=curves[0, -1])
    return {"diversity": gap, "by_number": report_plots.kl_by_number(curves)}


def _errors(targets: pd.DataFrame, probs: pd.DataFrame) -> dict[str, go.Figure]:
    """Plot recall and KL per word, calibration and, if there are any, confused pairs of words."""
    words = error_analysis.by_word(targets, probs)
    pairs = error_analysis.confusions(targets, probs)[:NUM_PAIRS]
    names = [f"{missed} → {predicted}" for missed, predicted in zip(pairs["missed"], pairs["predicted"], strict=True)]
    clips = [count(number, "clip") for number in words["clips"]]
    plots = {
        "recall": report_plots.bars(words["word"], words["recall"], "recall", "%{x:.1%} of %{customdata}", clips),
        "word_kl": report_plots.bars(words["word"], words["kl"], "KL (nats)", "%{x:.4f} in %{customdata}", clips),
        "reliability": report_plots.reliability(error_analysis.reliability(targets, probs)),
    }
    if names:
        plots["pairs"] = report_plots.bars(names, pairs["clips"], "clips", "%{x:.1f} clips")
    return plots


def best_and_worst(probs: pd.DataFrame, targets: pd.DataFrame | None) -> tuple[list[Clip], list[Clip]]:
    """Select the clips with the lowest scores (lowest first) and with the highest (highest first).

    At most NUM_EXAMPLES each; no clip is in both lists. Each clip shows its true words and its k most probable ones, or
    without targets its NUM_WORDS most probable ones.
    """
    values = probs.to_numpy()
    orders = np.argsort(-values, axis=1, kind="stable")  # of the words
    if targets is None:
        scores = -(values * np.log(np.where(values > 0, values, 1))).sum(axis=1)
        true, shown = None, np.argsort(orders, axis=1) < NUM_WORDS
    else:
        true = targets.to_numpy()
        scores, shown = kl(true, values), (true > 0) | top_k(true, values)

    def clip(i: int) -> Clip:
        words = [j for j in orders[i] if shown[i, j]]
        rows = [(probs.columns[j], None if true is None else float(true[i, j]), values[i, j]) for j in words]
        return Clip(probs.index[i], float(scores[i]), rows)

    ranked = np.argsort(scores, kind="stable")
    number = min(NUM_EXAMPLES, len(ranked) // 2)
    return [clip(i) for i in ranked[:number]], [clip(i) for i in ranked[::-1][:number]]
