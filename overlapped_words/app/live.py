"""The tab that listens to the microphone: the events as they come, and a rolling timeline."""

from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from html import escape
from itertools import chain
from pathlib import Path
from queue import Empty, Full, Queue
from typing import Any

import gradio as gr
import numpy as np
import pandas as pd

from datamodules.recordings import NARROWBAND, decode_mono, read_header
from datamodules.waveforms import SAMPLE_RATE
from overlapped_words.app.model import AppModel
from overlapped_words.app.recording import event_table
from overlapped_words.errors import DataError
from overlapped_words.inference.events import Event
from overlapped_words.inference.listening import resample_blocks
from overlapped_words.messages import clock, printable

SHOWN = 10  # seconds
VISITORS = 8  # that listen at the same time
EVENTS = 20  # that are listed
MAX_CHUNK = 10  # seconds of sound that the page sends at once: usually 0.1, more after a delay
WAITING = 50  # chunks that wait for a busy machine; more are left out
TIMEOUT = 60  # seconds without sound, after which the visitor has gone; a browser may ask for the microphone
ROWS = 6  # words in the picture
LONGEST = 12  # characters of a word in the picture
LEAST = 0.1  # probability of a word that is shown
WIDTH, LABELS, ROW = 400, 120, 28  # units of the picture: its width, the part of it for words, a row


class Stream:
    """One visitor's sound, the windows of the last seconds, and the last events.

    The page sends a chunk every tenth of a second, but waits, or even drops sound, while `add` runs. So `add`
    only stores it, and `listen` runs beside it.
    """

    def __init__(self) -> None:
        self.chunks: Queue[np.ndarray] = Queue(WAITING)  # `(T,)` at the microphone's sample rate; empty: the end
        self.rate = 1
        self.windows: deque[tuple[float, np.ndarray]] = deque()  # end in seconds, `(num_classes,)`; oldest first
        self.events: deque[Event] = deque(maxlen=EVENTS)  # newest first

    def add(self, path: str | Path) -> None:
        """Append a chunk of sound, a WAV file.

        Raises:
            DataError: it is longer than a chunk, or cannot be read. Nothing more than a chunk is decoded.
        """
        header = read_header(Path(path))
        if not 0 < header.seconds <= MAX_CHUNK:
            raise DataError(f"a chunk of live sound is a WAV file of up to {MAX_CHUNK} seconds")
        self.rate = header.sample_rate
        self._put(next(decode_mono(Path(path), MAX_CHUNK))[0])

    def stop(self) -> None:
        """End `listen` after the chunks that have been added, or at once if it is late."""
        with suppress(Empty):
            while self.chunks.full():
                self.chunks.get_nowait()
        self._put(np.zeros(0, np.float32))

    def _put(self, samples: np.ndarray) -> None:
        with suppress(Full):
            self.chunks.put_nowait(samples)

    def listen(self, model: AppModel) -> Iterator[None]:
        """Update windows and events while sound arrives; raises DataError for a sample rate that cannot be used."""
        chunks = self._get()
        blocks = chain([next(chunks, np.zeros(0, np.float32))], chunks)  # the first one has the rate
        for heard in model.listen(resample_blocks(blocks, self.rate)):
            self.windows.extend(zip(heard.ends.tolist(), heard.presence, strict=True))
            while self.windows[0][0] <= self.windows[-1][0] - SHOWN:
                self.windows.popleft()
            self.events.extendleft(heard.events)
            if heard.events or self.chunks.empty():  # otherwise it is late, and drawing would take more time
                yield
        yield

    def _get(self) -> Iterator[np.ndarray]:
        with suppress(Empty):
            while len(chunk := self.chunks.get(timeout=TIMEOUT)):
                yield chunk


def draw(model: AppModel, stream: Stream | None) -> str:
    """What the tab shows of a stream, as HTML: the last word, the words of the last seconds, the last events."""
    names, now = model.class_names, 0.0
    events, latest, note = list(stream.events) if stream else [], "Listening" if stream else "Not listening yet", ""
    table = pd.DataFrame(columns=names, dtype=float)
    if stream and stream.windows:
        ends, probs = zip(*stream.windows, strict=True)
        table, now = pd.DataFrame(np.stack(probs), ends, names), ends[-1]
        latest = f"Now: {names[probs[-1].argmax()]} ({probs[-1].max():.0%})"
        if model.has_events:
            latest = f"{events[0].word} at {clock(events[0].start_s)}" if events else "No word yet"
        if stream.rate < SAMPLE_RATE:
            note = f"<p>{escape(NARROWBAND % 'microphone')}</p>"
    return f'<p class="now">{escape(printable(latest))}</p>{picture(table, events, now)}{note}{event_table(events)}'


def picture(table: pd.DataFrame, events: Iterable[Event], now: float) -> str:
    """Draw the likely words of the last seconds against time -> HTML with an SVG, which follows the page's colors.

    Args:
        table: a column per word, a row per window, with the window's end in seconds as its index.
        events: to outline.
        now: the time at the right edge, in seconds.
    """
    likely = table.max()[lambda peaks: peaks >= LEAST].nlargest(ROWS).index
    words = [word for word in table.columns if word in likely]  # in the model's order: rows do not change places
    parts = []

    def add_box(start: float, end: float, attributes: str) -> None:
        left, right = (WIDTH - min(now - time, SHOWN) * (WIDTH - LABELS) / SHOWN for time in (start, end))
        parts.append(f'<rect x="{left:.1f}" y="{y + 2}" width="{right - left:.1f}" height="{ROW - 4}" {attributes}/>')

    for y, word in zip(range(0, ROW * ROWS, ROW), words, strict=False):
        label = word if len(word) <= LONGEST else f"{word[: LONGEST - 1]}…"
        parts.append(f'<text x="{LABELS - 8}" y="{y + 20}" text-anchor="end">{escape(label)}</text>')
        middles = table.index.to_numpy() - 0.5  # of the windows, which have a second
        for start, end, prob in zip(middles, [*middles[1:], middles[-1]], table[word], strict=True):
            if prob > LEAST / 2:
                add_box(start, end, f'fill-opacity="{prob:.2f}"')
        for event in events:
            if event.word == word and event.end_s > now - SHOWN:
                add_box(event.start_s, event.end_s, 'class="event"')
    height = ROW * ROWS
    title = f"Words of the last {SHOWN} seconds: {', '.join(words) or 'none'}"
    return (
        f'<svg class="rolling" data-seconds="{now:.3f}" role="img" aria-label="{escape(title)}" '
        f'viewBox="0 0 {WIDTH} {height + 28}">{"".join(parts)}'
        f'<path d="M{LABELS} {height}H{WIDTH}" stroke="currentColor"/>'
        f'<text x="{LABELS}" y="{height + 20}">{SHOWN} s ago</text>'
        f'<text x="{WIDTH}" y="{height + 20}" text-anchor="end">now</text></svg>'
    )


def build_tab(model: AppModel) -> None:
    """Build the tab in the page that is being built."""

    def on_start() -> Iterator[tuple[Stream, str]]:
        stream = Stream()
        yield stream, draw(model, stream)
        try:
            for _ in stream.listen(model):
                yield gr.skip(), draw(model, stream)  # the visitor may have started another stream
        except DataError as error:
            raise gr.Error(str(error)) from error

    def on_sound(path: str | None, stream: Stream | None) -> None:
        try:
            if path and stream:
                stream.add(path)
        except DataError as error:
            raise gr.Error(str(error).replace(str(path), "sound")) from error
        finally:
            if path:
                Path(path).unlink()  # ten a second

    with gr.Tab("Live"):
        gr.Markdown(
            "Press Record and speak. "
            + ("Each word is listed half a second after it was spoken. " if model.has_events else "")
            + "The picture shows the last seconds."
        )
        microphone = gr.Audio(sources=["microphone"], type="filepath", streaming=True, label="Microphone")
        view, stream = gr.HTML(draw(model, None)), gr.State()
        options: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
        options["concurrency_limit"] = VISITORS
        microphone.start_recording(on_start, None, [stream, view], trigger_mode="multiple", **options)
        microphone.stream(on_sound, [microphone, stream], None, **options)
        microphone.stop_recording(lambda stream: stream and stream.stop(), stream, None, **options)
