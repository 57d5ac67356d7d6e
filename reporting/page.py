"""report.html: one file with figures, sound and the script that draws them, to open without a network."""

from __future__ import annotations

import gzip
import json
from base64 import b64encode
from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from ensembling import diversity, errors
from ensembling.combine import Tables
from ensembling.metrics import kl_divergence
from messages import count
from reporting import examples, report_plots, summary
from reporting.template import render
from runs.members import Member
from runs.reading import read_epochs

if TYPE_CHECKING:
    from datamodules.clips import Splits

PAIRS = 15  # of confused words


def build(
    title: str,
    members: Sequence[Member],
    tables: dict[str, Tables],
    combined: Tables,
    table: pd.DataFrame,
    left_out: dict[str, str],
    load: Callable[[Member], Splits],
) -> str:
    """The page of an ensemble: its members' tables, their `combined` ones and the `table` of figures (see
    `reporting.summary.figures`); `load` gives the data that a member was trained with.

    It is about the test clips where their answers are known, else about the validation clips, and where there are none
    either, about the test clips as far as predictions alone go.
    """
    known = "test_answers" in combined or "val_answers" not in combined
    kind, answers_kind = ("predictions", "test_answers") if known else ("val_predictions", "val_answers")
    probs, answers = combined[kind], combined.get(answers_kind)
    drawn = _curves(members)
    if answers is None:
        shares = probs.mean().sort_values(ascending=False)
        drawn["shares"] = report_plots.bars(shares.index, shares, "mean probability", "%{x:.4f}")
    else:
        stacked = diversity.member_probs(members, tables, kind)
        drawn |= _gains(members, stacked, answers) | _errors(answers, probs)
    best, worst = examples.best_and_worst(probs, answers)
    sounds, silence = examples.find_audio(members, tables, kind, [clip.id for clip in best + worst], load)
    return render(
        "report.html",
        title=title,
        headline=summary.headline(table),
        cells=summary.cells(table),
        num_members=len(members),
        left_out=left_out,
        split="test" if kind == "predictions" else "validation",
        num_clips=len(probs),
        answers=answers is not None,
        figures={name: json.loads(figure.to_json()) for name, figure in drawn.items()},
        themes=report_plots.THEMES,
        script=_packed_script(),
        best=best,
        worst=worst,
        sounds=sounds,
        silence=silence,
    )


def _curves(members: Sequence[Member]) -> dict[str, go.Figure]:
    epochs = [read_epochs(member.path / "metrics.csv") for member in members]
    titles = {"train/loss": ("loss", "training loss"), "val/kl": ("val_kl", "validation KL (nats)")}
    return {
        name: report_plots.epoch_curves(members, epochs, column, title)
        for column, (name, title) in titles.items()
        if any(column in table for table in epochs)
    }


def _gains(members: Sequence[Member], stacked: np.ndarray, answers: pd.DataFrame) -> dict[str, go.Figure]:
    """What averaging brings; nothing where one member is alone."""
    if len(stacked) == 1:
        return {}
    truth = answers.to_numpy()
    names = [member.name for member in members]
    if len(names) > len(stacked):  # of a cross-validation
        names = [f"member {i + 1} of each fold" for i in range(len(stacked))]
    kls = np.array([kl_divergence(truth, probs).mean() for probs in stacked])
    curves = diversity.kl_by_number(truth, stacked)
    return {
        "diversity": report_plots.diversity(names, kls, ensemble=curves[0, -1]),
        "by_number": report_plots.kl_by_number(curves),
    }


def _errors(answers: pd.DataFrame, probs: pd.DataFrame) -> dict[str, go.Figure]:
    words = errors.by_word(answers, probs)
    pairs = errors.confusions(answers, probs)[:PAIRS]
    names = [f"{missed} → {predicted}" for missed, predicted in zip(pairs["missed"], pairs["predicted"], strict=True)]
    recall, cost, clips_of = words["recall"], words["kl"], [count(clips, "clip") for clips in words["clips"]]
    drawn = {
        "recall": report_plots.bars(words["word"], recall, "recall", "%{x:.1%} of %{customdata}", clips_of),
        "cost": report_plots.bars(words["word"], cost, "KL (nats)", "%{x:.4f} in %{customdata}", clips_of),
        "reliability": report_plots.reliability(errors.reliability(answers, probs)),
    }
    if names:
        drawn["pairs"] = report_plots.bars(names, pairs["clips"], "clips", "%{x:.1f} clips")
    return drawn


@cache
def _packed_script() -> str:
    """plotly.js, gzip in base64: 2 MB instead of 5."""
    return b64encode(gzip.compress(get_plotlyjs().encode(), mtime=0)).decode()
