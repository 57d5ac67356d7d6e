"""The tabs for one recording and for a mixture of single words: their likely words, timeline and features."""

from collections.abc import Callable
from typing import Any

import gradio as gr
from matplotlib import rc_context

from datamodules.waveforms import to_int16
from overlapped_words.app.model import AppModel, Recording
from overlapped_words.errors import DataError
from overlapped_words.plots import draw_features, draw_timeline

NUM_WORDS = 4  # that can be mixed
GRAY = "#868686"  # readable on the light and the dark page
STYLE: dict[Any, Any] = {f"{part}color": GRAY for part in ("text.", "axes.label", "axes.edge", "xtick.", "ytick.")}
STYLE |= {"figure.facecolor": "none", "axes.facecolor": "none", "figure.dpi": 130}
WIDTH = 5  # inches of a timeline, so that its labels are readable on a phone, 390 pixels wide


def text_box(label: str) -> gr.Textbox:
    """A text that stays until the next recording, unlike those of `gr.Error`; hidden while it is empty, see `show`."""
    return gr.Textbox(label=label, visible=False, interactive=False)


def show(text: object) -> gr.Textbox:
    """Update a text box."""
    return gr.Textbox(str(text), visible=bool(str(text)))


def answer_boxes(label: str, top: int) -> list[gr.Component]:
    """Add the boxes of an answer; `label` is that of the shares, of which `top` are shown."""
    likely = text_box("Most likely")  # empty for a model that does not predict sets
    return [likely, text_box("Note"), gr.Label(num_top_classes=top, label=label, show_heading=False)]


def features_panel() -> gr.Plot:
    """Add a closed panel: most people only want to know the words."""
    with gr.Accordion("Features: what the network sees", open=False):
        return gr.Plot(show_label=False)


def results(model: AppModel, read: Callable[[], Recording | None]) -> tuple:
    """What the page shows for a recording: its sound, `answer_boxes`, timeline (over a second), features, error.

    `read` reads the recording; it may return None or raise DataError.
    """
    recording, error = None, ""
    try:
        recording = read()
    except DataError as reason:
        error = str(reason)
    if recording is None:
        return None, show(""), show(""), None, gr.Plot(visible=False), None, show(error)
    waveform, rate, num_samples = recording.waveform, model.model.sample_rate, model.model.num_samples
    prediction, timeline = model.predict(waveform), gr.Plot(visible=False)
    features, front_end = model.features(waveform)
    with rc_context(STYLE):
        features_plot = draw_features(features, front_end.win_lengths, num_samples / rate)
        features_plot.suptitle("Features of the loudest second")
        if len(waveform) > num_samples:
            timeline_plot = draw_timeline(model.model.timeline(waveform, rate, model.hop), width=WIDTH)
            timeline_plot.suptitle("Words over time")
            timeline = gr.Plot(timeline_plot, visible=True)
    answer = show(prediction.answer(model.model.class_names)), show(recording.note), model.shares(prediction)
    return (rate, to_int16(waveform)), *answer, timeline, features_plot, show("")


def build_recording_tab(model: AppModel, limits: str, top: int) -> None:
    """Build the tab for one recording in the page that is being built.

    `limits` are the longest and largest recording, in words; `top` is the number of words shown.
    """
    with gr.Tab("Recording"):
        with gr.Row():
            with gr.Column():
                audio = gr.Audio(type="filepath", label=f"Recording, {limits}", buttons=["download"])
                error = text_box("Error")
            with gr.Column():
                boxes = answer_boxes("Words in its loudest second", top)
        timeline = gr.Plot(show_label=False, visible=False)
        audio.change(
            lambda path: results(model, lambda: model.read(path) if path else None)[1:],
            audio,
            [*boxes, timeline, features_panel(), error],
            api_name="predict",
            show_progress_on=boxes[-1],
        )


def build_mixture_tab(model: AppModel, top: int) -> None:
    """Build the tab that mixes single words in the page that is being built; `top` is the number of words shown."""

    def on_mix(*paths: str | None) -> tuple:
        shown = results(model, lambda: model.mix([path for path in paths if path]))
        return shown[:4] + shown[5:]  # one second has no timeline

    with gr.Tab("Mix words"):
        with gr.Row():
            words = [
                gr.Audio(type="filepath", label=f"Word {i + 1}", min_width=160, buttons=["download"], editable=False)
                for i in range(NUM_WORDS)
            ]
        button = gr.Button("Mix", variant="primary")
        error = text_box("Error")
        with gr.Row():
            mixture = gr.Audio(label="Mixture", interactive=False, buttons=["download"])
            with gr.Column():
                boxes = answer_boxes("Words", top)
        outputs = [mixture, *boxes, features_panel(), error]
        button.click(on_mix, words, outputs, api_name="mix", show_progress_on=boxes[-1])
