"""The tab that mixes recordings of single words."""

import gradio as gr

from datamodules.waveforms import to_int16
from overlapped_words.app import parts
from overlapped_words.app.model import AppModel
from overlapped_words.errors import DataError

NUM_WORDS = 4  # that can be mixed


def build_tab(model: AppModel, top: int) -> None:
    """Build the tab in the page that is being built; `top` is the number of words shown."""

    def on_mix(*paths: str | None) -> tuple:
        uploads = [path for path in paths if path]
        try:
            if len(uploads) < 2:
                raise DataError("record or upload at least two words")
            mixture = model.mix(uploads)
        except DataError as error:
            return None, *parts.no_answer(), None, parts.show(error)
        sound = model.model.sample_rate, to_int16(mixture.waveform)
        features = parts.features_plot(model, mixture.waveform)
        return sound, *parts.answer(model, mixture), features, parts.show("")

    with gr.Tab("Mix words"):
        with gr.Row():
            words = [
                gr.Audio(type="filepath", label=f"Word {i + 1}", min_width=160, buttons=["download"], editable=False)
                for i in range(NUM_WORDS)
            ]
        button = gr.Button("Mix", variant="primary")
        error = parts.text_box("Error")
        with gr.Row():
            mixture = gr.Audio(label="Mixture", interactive=False, buttons=["download"])
            with gr.Column():
                answer = parts.answer_boxes("Words", top)
        features = parts.features_panel()
        outputs = [mixture, *answer, features, error]
        button.click(on_mix, words, outputs, api_name="mix", show_progress_on=answer.shares)
