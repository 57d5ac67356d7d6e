"""The tab for one recording: its words, their timeline and its features."""

import gradio as gr

from overlapped_words.app import parts
from overlapped_words.app.model import AppModel
from overlapped_words.errors import DataError


def build_tab(model: AppModel, limits: str, top: int) -> None:
    """Build the tab in the page that is being built.

    Args:
        limits: the longest and largest recording, in words.
        top: the number of words shown.
    """

    def on_upload(path: str | None) -> tuple:
        try:
            if path is None:
                return parts.show_answer(""), None, None, gr.Plot(visible=False), parts.hide_error()
            waveform = model.read(path)
        except DataError as error:
            return parts.show_answer(""), None, None, gr.Plot(visible=False), parts.show_error(error)
        prediction = model.predict(waveform)
        return (
            parts.show_answer(model.answer(prediction)),
            model.shares(prediction),
            parts.features_plot(model, waveform),
            parts.timeline_plot(model, waveform),
            parts.hide_error(),
        )

    with gr.Tab("Recording"):
        with gr.Row():
            with gr.Column():
                audio = gr.Audio(type="filepath", label=f"Recording, {limits}", buttons=["download"])
                error = parts.error_box()
            with gr.Column():
                answer = parts.answer_box()
                shares = gr.Label(num_top_classes=top, label="Words in its loudest second", show_heading=False)
        timeline = gr.Plot(show_label=False, visible=False)
        features = gr.Plot(show_label=False)
        outputs = [answer, shares, features, timeline, error]
        audio.change(on_upload, audio, outputs, api_name="predict", show_progress_on=shares)
