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
                return *parts.no_answer(), gr.Plot(visible=False), None, parts.show("")
            recording = model.read(path)
        except DataError as error:
            return *parts.no_answer(), gr.Plot(visible=False), None, parts.show(error)
        timeline = parts.timeline_plot(model, recording.waveform)
        features = parts.features_plot(model, recording.waveform)
        return *parts.answer(model, recording), timeline, features, parts.show("")

    with gr.Tab("Recording"):
        with gr.Row():
            with gr.Column():
                audio = gr.Audio(type="filepath", label=f"Recording, {limits}", buttons=["download"])
                error = parts.text_box("Error")
            with gr.Column():
                answer = parts.answer_boxes("Words in its loudest second", top)
        timeline = gr.Plot(show_label=False, visible=False)
        features = parts.features_panel()
        outputs = [*answer, timeline, features, error]
        audio.change(on_upload, audio, outputs, api_name="predict", show_progress_on=answer.shares)
