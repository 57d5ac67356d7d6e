"""The tab that listens to the microphone and shows a rolling timeline."""

from collections import deque
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

import gradio as gr
import numpy as np
import pandas as pd

from datamodules.bandwidth import NARROWBAND
from datamodules.recordings import read_blocks, read_header
from datamodules.resampling import resample
from overlapped_words.app.model import AppModel
from overlapped_words.errors import DataError

INTERVAL = 0.2  # seconds from one prediction to the next
SHOWN = 10  # seconds
MAX_CHUNK = 2  # seconds of sound that the page sends at once
ROWS = 6  # words in the picture
LONGEST = 12  # characters of a word in the picture
LEAST = 0.1  # probability of a word that is shown
WIDTH, LABELS, ROW = 400, 120, 28  # units of the picture: its width, the part of it for words, a row


class Moment(NamedTuple):
    """The prediction for the second before a point in time."""

    end: float  # seconds since the start of the sound
    probs: dict[str, float]  # of each word; empty if none of the words is the most likely answer
    answer: str  # the most likely set of words or, of a model without sets, the most probable word
    narrowband: bool = False  # the sound lacks the upper frequencies, as that of some headsets does


class Stream:
    """The last second of one visitor's sound, and the predictions of the last seconds.

    The page sends a chunk every tenth of a second, and Gradio drops the chunks that arrive while `add` runs. So `add`
    only stores them, and `predict` runs beside it.
    """

    def __init__(self) -> None:
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
        any_word = prediction.sets.any_word[0] if prediction.sets else 1
        probs = {word: share * any_word for word, share in (model.shares(prediction) or {}).items()}
        answer = prediction.answer(model.model.class_names)
        if not answer:
            word = max(probs, key=probs.__getitem__)
            answer = f"{word} ({probs[word]:.1%})"
        self.moments.append(Moment(end, probs, answer, model.is_narrowband(waveform, self.rate)))


def draw(moments: Sequence[Moment]) -> str:
    """Draw words against time, now at the right edge -> HTML with an SVG, which follows the page's colors.

    Args:
        moments: oldest first; the last SHOWN seconds are drawn.
    """
    now = moments[-1].end if moments else 0.0
    shown = [moment for moment in moments if moment.end > now - SHOWN]
    peaks = pd.DataFrame([moment.probs for moment in shown]).max()
    likely = peaks[peaks >= LEAST].nlargest(ROWS)
    words = [word for word in peaks.index if word in likely]  # in the model's order: rows do not change places
    scale = (WIDTH - LABELS) / SHOWN
    parts = []
    for y, word in zip(range(0, ROW * ROWS, ROW), words, strict=False):
        label = word if len(word) <= LONGEST else f"{word[: LONGEST - 1]}…"
        parts.append(f'<text x="{LABELS - 8}" y="{y + 20}" text-anchor="end">{escape(label)}</text>')
        start = max(0.0, now - SHOWN)
        for moment in shown:
            left, width = WIDTH - (now - start) * scale, (moment.end - start) * scale
            if (prob := moment.probs.get(word, 0)) > LEAST / 2:
                box = f'x="{left:.1f}" y="{y + 2}" width="{width:.1f}" height="{ROW - 4}"'
                parts.append(f'<rect {box} fill-opacity="{prob:.2f}"/>')
            start = moment.end
    height = ROW * ROWS
    title = f"Words of the last {SHOWN} seconds: {', '.join(words) or 'none'}"
    narrowband = 2 * sum(moment.narrowband for moment in shown) > len(shown)
    return (
        f'<p class="now">{escape(f"Now: {shown[-1].answer}" if shown else "Not listening yet")}</p>'
        f'<svg class="rolling" data-seconds="{now:.3f}" role="img" aria-label="{escape(title)}" '
        f'viewBox="0 0 {WIDTH} {height + 28}">{"".join(parts)}'
        f'<path d="M{LABELS} {height}H{WIDTH}" stroke="currentColor"/>'
        f'<text x="{LABELS}" y="{height + 20}">{SHOWN} s ago</text>'
        f'<text x="{WIDTH}" y="{height + 20}" text-anchor="end">now</text></svg>'
        + (f"<p>{escape(NARROWBAND % 'microphone')}</p>" if narrowband else "")
    )


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
        return draw(list(stream.moments))

    with gr.Tab("Live"):
        gr.Markdown("Press Record and speak. The words of the last second appear at the right edge, and move left.")
        microphone = gr.Audio(sources=["microphone"], type="filepath", streaming=True, label="Microphone")
        timeline = gr.HTML(draw([]))
        stream, timer = gr.State(Stream()), gr.Timer(INTERVAL, active=False)
        options: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
        options["concurrency_limit"] = 4  # visitors that listen at the same time
        microphone.start_recording(lambda: (Stream(), gr.Timer(active=True)), None, [stream, timer], **options)
        microphone.stream(on_sound, [microphone, stream], None, **options)
        timer.tick(on_tick, stream, timeline, **options)
        microphone.stop_recording(lambda: gr.Timer(active=False), None, timer, **options)
