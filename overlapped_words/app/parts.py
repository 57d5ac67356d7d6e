"""What several tabs of the page show: errors, notes, the most likely words, their shares, plots."""

from typing import Any, NamedTuple

import gradio as gr
import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

from overlapped_words.app.model import AppModel, Recording
from overlapped_words.plots import draw_features, draw_timeline

GRAY = "#868686"  # readable on the light and the dark page
STYLE: dict[Any, Any] = {f"{part}color": GRAY for part in ("text.", "axes.label", "axes.edge", "xtick.", "ytick.")}
STYLE |= {"figure.facecolor": "none", "axes.facecolor": "none", "figure.dpi": 130}
WIDTH = 5  # inches of a timeline, so that its labels are readable on a phone, 390 pixels wide


class Answer(NamedTuple):
    """Components, or what they show: the most likely set of words, a note on the recording, the words' shares."""

    words: Any
    note: Any
    shares: Any


def text_box(label: str) -> gr.Textbox:
    """A text that stays until the next recording, unlike those of `gr.Error`; hidden while it is empty, see `show`."""
    return gr.Textbox(label=label, visible=False, interactive=False)


def show(text: object) -> gr.Textbox:
    """Update a text box."""
    return gr.Textbox(str(text), visible=bool(str(text)))


def answer_boxes(label: str, top: int) -> Answer:
    """Add the boxes of an answer; `label` is that of the shares, of which `top` are shown."""
    return Answer(
        text_box("Most likely"),  # empty for a model that does not predict sets
        text_box("Note"),
        gr.Label(num_top_classes=top, label=label, show_heading=False),
    )


def answer(model: AppModel, recording: Recording) -> Answer:
    """What the boxes show for a recording."""
    prediction = model.predict(recording.waveform)
    return Answer(show(model.answer(prediction)), show(recording.note), model.shares(prediction))


def no_answer() -> Answer:
    return Answer(show(""), show(""), None)


def features_panel() -> gr.Plot:
    """Add a closed panel: most people only want to know the words."""
    with gr.Accordion("Features: what the network sees", open=False):
        return gr.Plot(show_label=False)


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
