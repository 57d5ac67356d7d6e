"""What several tabs of the page show: an error, the most likely words, the shares, plots."""

from typing import Any

import gradio as gr
import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

from overlapped_words.app.model import AppModel
from overlapped_words.plots import draw_features, draw_timeline

GRAY = "#868686"  # readable on the light and the dark page
STYLE: dict[Any, Any] = {f"{part}color": GRAY for part in ("text.", "axes.label", "axes.edge", "xtick.", "ytick.")}
STYLE |= {"figure.facecolor": "none", "axes.facecolor": "none", "figure.dpi": 130}
WIDTH = 5  # inches of a timeline, so that its labels are readable on a phone, 390 pixels wide


def error_box() -> gr.Textbox:
    """A message that stays until the next recording, unlike those of `gr.Error`."""
    return gr.Textbox(label="Error", visible=False, interactive=False)


def show_error(error: Exception) -> gr.Textbox:
    return gr.Textbox(str(error), visible=True)


def hide_error() -> gr.Textbox:
    return gr.Textbox(visible=False)


def answer_box() -> gr.Textbox:
    """The most likely set of words; hidden for a model that does not predict sets."""
    return gr.Textbox(label="Most likely", visible=False, interactive=False)


def show_answer(answer: str) -> gr.Textbox:
    return gr.Textbox(answer, visible=bool(answer))


def features_plot(model: AppModel, waveform: np.ndarray) -> Figure:
    """The features of the loudest second."""
    features, front_end = model.features(waveform)
    with rc_context(STYLE):
        figure = draw_features(features, front_end.win_lengths, model.model.num_samples / model.model.sample_rate)
        figure.suptitle("Features of the loudest second")
    return figure


def timeline_plot(model: AppModel, waveform: np.ndarray) -> gr.Plot:
    """The words over time of a recording that is longer than a second; hidden for a shorter one."""
    if len(waveform) <= model.model.num_samples:
        return gr.Plot(visible=False)
    with rc_context(STYLE):
        figure = draw_timeline(model.model.timeline(waveform, model.model.sample_rate, model.hop), width=WIDTH)
        figure.suptitle("Words over time")
    return gr.Plot(figure, visible=True)
