"""The tabs for one recording and for a mixture of single words: their likely words, events, timeline and features."""

from collections.abc import Callable, Iterable
from html import escape
from typing import Any

import gradio as gr
from matplotlib import rc_context

from datamodules.recordings import LONG
from datamodules.waveforms import NUM_SAMPLES, SAMPLE_RATE, to_int16
from overlapped_words.app.model import AppModel, Recording
from overlapped_words.errors import DataError
from overlapped_words.messages import clock, count, printable
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
    """Add the boxes of an answer; `label` is that of the words, of which `top` are shown."""
    likely = text_box("Most likely")  # empty for a model that does not predict sets
    return [likely, text_box("Note"), gr.Label(num_top_classes=top, label=label, show_heading=False)]


def event_table(events: Iterable[Any]) -> str:
    """`Event`s as an HTML table: `0:07.2 stop 93 %`."""
    rows = [
        f"<tr><td>{clock(event.start_s)}</td><td>{escape(printable(event.word))}</td>"
        f"<td>{100 * event.probability:.0f} %</td></tr>"
        for event in events
    ]
    return f'<table class="events">{"".join(rows)}</table>'


def features_panel() -> gr.Plot:
    """Add a closed panel: most people only want to know the words."""
    with gr.Accordion("Features: what the network sees", open=False):
        return gr.Plot(show_label=False)


def results(model: AppModel, read: Callable[[], Recording | None]) -> tuple:
    """What the page shows for a recording: its sound, `answer_boxes`, events, timeline, features, error.

    A recording of more than two seconds has its events as the answer if the model has a rule for them, others the words
    of the loudest second. `read` reads the recording; it may return None or raise DataError.
    """
    recording, error = None, ""
    try:
        recording = read()
    except DataError as reason:
        error = str(reason)
    table, timeline = gr.HTML(visible=False), gr.Plot(visible=False)
    if recording is None:
        return None, show(""), show(""), gr.Label(None, visible=not error), table, timeline, None, show(error)
    waveform = recording.waveform
    is_long = model.has_events and len(waveform) > LONG * SAMPLE_RATE
    features, front_end = model.features(waveform)
    with rc_context(STYLE):
        features_plot = draw_features(features, front_end.win_lengths)
        features_plot.suptitle("Features of the loudest second")
        if len(waveform) > NUM_SAMPLES:
            windows, events = model.timeline(waveform)
            timeline_plot = draw_timeline(windows, events, width=WIDTH)
            timeline_plot.suptitle("Words over time")
            timeline = gr.Plot(timeline_plot, visible=True)
    if is_long:
        table = gr.HTML(f"<h3>{count(len(events), 'word')} found</h3>{event_table(events.itertuples())}", visible=True)
        likely, words = "", gr.Label(visible=False)
    else:
        prediction, class_names = model.predict(waveform), model.class_names
        likely = prediction.answer(class_names)
        words = gr.Label(dict(zip(class_names, prediction.shown[0].tolist(), strict=True)), visible=True)
    answer = show(likely), show(recording.note), words
    return (SAMPLE_RATE, to_int16(waveform)), *answer, table, timeline, features_plot, show("")


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
                table = gr.HTML(visible=False)
        timeline = gr.Plot(show_label=False, visible=False)
        audio.change(
            lambda path: results(model, lambda: model.read(path) if path else None)[1:],
            audio,
            [*boxes, table, timeline, features_panel(), error],
            api_name="predict",
            show_progress_on=boxes[-1],
        )


def build_mixture_tab(model: AppModel, top: int) -> None:
    """Build the tab that mixes single words in the page that is being built; `top` is the number of words shown."""

    def on_mix(*paths: str | None) -> tuple:
        shown = results(model, lambda: model.mix([path for path in paths if path]))
        return shown[:4] + shown[6:]  # one second has neither events nor a timeline

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
