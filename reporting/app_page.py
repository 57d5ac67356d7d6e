"""The page of app.py: what it shows of a recording, and its layout."""

import time
from pathlib import Path
from typing import Any, cast

import gradio as gr
import numpy as np
import pandas as pd
import torch
from matplotlib import rc_context
from matplotlib.figure import Figure

from datamodules.features import MultiResolutionMel
from datamodules.mixing import mix
from datamodules.recordings import fit_length, read_blocks, read_header, within_full_scale
from datamodules.waveforms import to_int16
from errors import DataError
from inference.model import Model
from reporting.plots import draw_features, draw_timeline

NUM_WORDS = 4  # places for words to mix
GRAY = "#868686"  # readable on the light and on the dark page
STYLE: dict[Any, Any] = {f"{part}color": GRAY for part in ("text.", "axes.label", "axes.edge", "xtick.", "ytick.")}
STYLE |= {"figure.facecolor": "none", "axes.facecolor": "none", "figure.dpi": 130}
WIDTH = 5  # inches of a timeline: its labels are readable on a phone, 390 pixels wide
DECODING = 20.0  # seconds that an upload may take to decode ...
BLOCK = 5  # ... of which so many seconds of sound are decoded between two looks at the clock


class Ears:
    """What the page shows of a sound; paths are those of uploads."""

    def __init__(self, model: Model, max_seconds: float, hop: float) -> None:
        self.model, self.max_seconds, self.hop = model, max_seconds, hop

    def read(self, path: str) -> np.ndarray:
        """An upload -> `(T,)` float32 in [-1, 1] at the model's rate.

        Raises:
            DataError: it cannot be used, is too long or takes too long; with its name, not the server's path to it.
        """
        name, start = Path(path).name, time.monotonic()
        blocks: list[np.ndarray] = []
        header = read_header(Path(path))
        self._check_length(name, header.seconds if header else 0)
        try:
            for block in read_blocks(Path(path), self.model.sample_rate, BLOCK):
                blocks.append(block)
                self._check_length(name, sum(map(len, blocks)) / self.model.sample_rate)  # a header may be wrong
                if time.monotonic() - start > DECODING:
                    raise DataError(f"{name}: takes over {DECODING:g} seconds to decode; convert it to 16 kHz mono")
        except DataError as error:
            raise DataError(str(error).replace(path, name)) from error
        return within_full_scale(np.concatenate(blocks))

    def _check_length(self, name: str, seconds: float) -> None:
        if seconds > self.max_seconds:
            raise DataError(f"{name}: longer than {self.max_seconds:g} seconds; cut out a part of it")

    def hear(self, waveform: np.ndarray) -> tuple[dict[str, float], Figure, Figure | None]:
        """`(T,)` -> word probabilities and features of its loudest second; of a longer one the timeline too."""
        model, front_end = self.model, self.model.predictor.front_ends[0]
        assert isinstance(front_end, MultiResolutionMel)
        clip = torch.from_numpy(fit_length(waveform, model.num_samples))[None]
        clip = clip.to(next(front_end.buffers()).device)
        timeline = None
        with rc_context(STYLE):
            seconds = model.num_samples / model.sample_rate
            pictures = draw_features(front_end(clip)[0].cpu(), front_end.win_lengths, seconds)
            pictures.suptitle("What the network sees of the loudest second")
            if len(waveform) > model.num_samples:
                timeline = draw_timeline(model.timeline(waveform, model.sample_rate, self.hop), width=WIDTH)
                timeline.suptitle("When")
        probs = cast(pd.Series, model(waveform, model.sample_rate))
        return {str(word): float(prob) for word, prob in probs.items()}, pictures, timeline

    def mix(self, paths: list[str]) -> np.ndarray:
        """Uploads of single words -> all of them at once, equally loud, `(num_samples,)`; raises what `read` raises."""
        words = np.stack([fit_length(self.read(path), self.model.num_samples) for path in paths])
        together = torch.ones(1, len(paths))
        in_step = torch.zeros_like(together, dtype=torch.long)
        return mix(torch.from_numpy(words)[None], together, in_step, speeds=together)[0].numpy()


def build_page(ears: Ears, title: str, limits: str, top: int) -> gr.Blocks:
    """The page, not served yet; `limits` says how long and large a recording may be."""

    def on_sound(path: str | None) -> tuple:
        if path is None:
            return None, None, gr.Plot(visible=False), gr.Textbox(visible=False)
        try:
            words, pictures, timeline = ears.hear(ears.read(path))
        except DataError as error:
            return None, None, gr.Plot(visible=False), gr.Textbox(str(error), visible=True)
        return words, pictures, gr.Plot(timeline, visible=timeline is not None), gr.Textbox(visible=False)

    def on_mix(*paths: str | None) -> tuple:
        given = [path for path in paths if path]
        try:
            if len(given) < 2:
                raise DataError("record or upload at least two words")
            mixture = ears.mix(given)
        except DataError as error:
            return None, None, None, gr.Textbox(str(error), visible=True)
        words, pictures, _ = ears.hear(mixture)
        return (ears.model.sample_rate, to_int16(mixture)), words, pictures, gr.Textbox(visible=False)

    def problem() -> gr.Textbox:
        """Stays until the next recording, unlike the messages of `gr.Error`."""
        return gr.Textbox(label="Error", visible=False, interactive=False)

    # What visitors leave is deleted within two hours, all of it at the end.
    with gr.Blocks(title="Overlapped words", analytics_enabled=False, delete_cache=(3600, 3600)) as page:
        gr.Markdown(f"# Which words are spoken at once?\n{title}")
        with gr.Tab("A recording"):
            with gr.Row():
                with gr.Column():
                    sound = gr.Audio(type="filepath", label=f"Recording, {limits}", buttons=["download"])
                    wrong = problem()
                words = gr.Label(num_top_classes=top, label="Words in its loudest second", show_heading=False)
            timeline = gr.Plot(show_label=False, visible=False)
            pictures = gr.Plot(show_label=False)
            sound.change(on_sound, sound, [words, pictures, timeline, wrong], api_name="hear", show_progress_on=words)
        with gr.Tab("Mix words"):
            with gr.Row():
                places = [
                    gr.Audio(
                        type="filepath",
                        label=f"Word {i + 1}",
                        min_width=160,
                        buttons=["download"],
                        editable=False,
                    )
                    for i in range(NUM_WORDS)
                ]
            button = gr.Button("Mix", variant="primary")
            not_mixed = problem()
            with gr.Row():
                mixture = gr.Audio(label="All at once", interactive=False, buttons=["download"])
                mixed = gr.Label(num_top_classes=top, label="Words", show_heading=False)
            seen = gr.Plot(show_label=False)
            outputs = [mixture, mixed, seen, not_mixed]
            button.click(on_mix, places, outputs, api_name="mix", show_progress_on=mixed)
        with gr.Accordion("Words that it knows", open=False):
            gr.Markdown(", ".join(ears.model.class_names))
    return page
