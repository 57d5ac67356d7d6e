"""The tab that listens to the microphone and shows a rolling timeline."""

from collections import deque
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np

from datamodules.recordings import read_blocks, read_header
from datamodules.resampling import resample
from overlapped_words.app.model import AppModel
from overlapped_words.app.rolling import Moment, draw
from overlapped_words.errors import DataError

INTERVAL = 0.2  # seconds from one prediction to the next
VISITORS = 4  # that may listen at the same time
SHOWN = 10  # seconds
MAX_CHUNK = 2  # seconds of sound that the page sends at once


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
        """Append a chunk of sound, a WAV file.

        Raises:
            DataError: it is longer than a chunk, or cannot be read. Nothing more than a chunk is decoded.
        """
        header = read_header(Path(path))
        if header is None or header.seconds > MAX_CHUNK:
            raise DataError(f"a chunk of live sound is a WAV file of up to {MAX_CHUNK} seconds")
        samples, self.rate = next(read_blocks(Path(path), header.sample_rate, MAX_CHUNK)), header.sample_rate
        self.recent = np.concatenate([self.recent, samples])[-self.rate :]
        self.seconds += len(samples) / self.rate

    def predict(self, model: AppModel) -> None:
        """Predict the last second, if there is new sound."""
        recent, end = self.recent, self.seconds
        if end == (self.moments[-1].end if self.moments else 0):
            return
        waveform = resample(recent, self.rate, model.model.sample_rate)
        prediction = model.predict(waveform)
        shares = model.shares(prediction)
        any_word = prediction.sets.any_word[0] if prediction.sets else 1
        probs = {} if shares is None else {word: share * any_word for word, share in shares.items()}
        narrowband = model.is_narrowband(waveform, self.rate)
        self.moments.append(Moment(end, probs, model.answer(prediction), narrowband))


def build_tab(model: AppModel) -> None:
    """Build the tab in the page that is being built."""

    def on_sound(path: str | None, stream: Stream) -> None:
        try:
            if path is not None:
                stream.add(path)
        except DataError as error:
            raise gr.Error(str(error).replace(str(path), "sound")) from error

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
