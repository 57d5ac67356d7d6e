"""The tab that listens to the microphone and shows a rolling timeline."""

from collections import deque
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import soundfile

from datamodules.resampling import resample
from overlapped_words.app.model import AppModel
from overlapped_words.app.rolling import Moment, draw

INTERVAL = 0.2  # seconds from one prediction to the next
VISITORS = 4  # that may listen at the same time
SHOWN = 10  # seconds


class Stream:
    """The last second of one visitor's sound, and the predictions of the last seconds.

    The page sends a chunk every tenth of a second, and Gradio drops the chunks that arrive while `add` runs. So `add`
    only stores them, and `predict` runs beside it.
    """

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        self.recent, self.rate = np.zeros(0, np.float32), 1  # `(T,)` at the microphone's sample rate
        self.seconds = 0.0  # of all sound so far
        self.moments: deque[Moment] = deque(maxlen=round(SHOWN / INTERVAL))  # oldest first

    def add(self, path: str | Path) -> None:
        """Append a chunk of sound, a WAV file."""
        samples, self.rate = soundfile.read(path, dtype="float32", always_2d=True)
        self.recent = np.concatenate([self.recent, samples.mean(axis=1)])[-self.rate :]
        self.seconds += len(samples) / self.rate

    def predict(self, model: AppModel) -> None:
        """Predict the last second, if there is new sound."""
        recent, end = self.recent, self.seconds
        if end == (self.moments[-1].end if self.moments else 0):
            return
        prediction = model.predict(resample(recent, self.rate, model.model.sample_rate))
        shares = model.shares(prediction)
        any_word = prediction.sets.any_word[0] if prediction.sets else 1
        probs = {} if shares is None else {word: share * any_word for word, share in shares.items()}
        self.moments.append(Moment(end, probs, model.answer(prediction)))


def build_tab(model: AppModel) -> None:
    """Build the tab in the page that is being built."""

    def on_sound(path: str | None, stream: Stream) -> None:
        if path is not None:
            stream.add(path)

    def on_tick(stream: Stream) -> str:
        stream.predict(model)
        return draw(stream.moments, SHOWN)

    def on_start(stream: Stream) -> gr.Timer:
        stream.clear()
        return gr.Timer(active=True)

    with gr.Tab("Live"):
        gr.Markdown("Press Record and speak. The words of the last second appear at the right edge, and move left.")
        microphone = gr.Audio(sources=["microphone"], type="filepath", streaming=True, label="Microphone")
        timeline = gr.HTML(draw([], SHOWN))
        stream, timer = gr.State(Stream()), gr.Timer(INTERVAL, active=False)
        options: dict[str, Any] = {
            "show_progress": "hidden",
            "api_visibility": "private",
            "concurrency_limit": VISITORS,
        }
        microphone.start_recording(on_start, stream, timer, **options)
        microphone.stream(on_sound, [microphone, stream], None, **options)
        timer.tick(on_tick, stream, timeline, **options)
        microphone.stop_recording(lambda: gr.Timer(active=False), None, timer, **options)
