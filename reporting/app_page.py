"""The web page of app.py: its layout, and the predictions and plots that it shows."""

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

NUM_WORDS = 4  # that can be mixed
GRAY = "#868686"  # readable on the light and the dark page
STYLE: dict[Any, Any] = {f"{part}color": GRAY for part in ("text.", "axes.label", "axes.edge", "xtick.", "ytick.")}
STYLE |= {"figure.facecolor": "none", "axes.facecolor": "none", "figure.dpi": 130}
WIDTH = 5  # inches of a timeline, so that its labels are readable on a phone, 390 pixels wide
MAX_DECODING = 20.0  # seconds that an upload may take to decode
BLOCK = 5  # seconds of audio decoded between two checks of the time


class AppModel:
    """A model with the limits of the page; paths are those of uploads.

    Args:
        model: the trained model.
        max_seconds: the longest recording.
        hop: seconds from one window of a timeline to the next.
    """

    def __init__(self, model: Model, max_seconds: float, hop: float) -> None:
        self.model, self.max_seconds, self.hop = model, max_seconds, hop

    def read(self, path: str) -> np.ndarray:
        """Read an upload -> `(T,)` float32 in [-1, 1] at the model's sample rate.

        Raises:
            DataError: it cannot be used, is too long or takes too long; names the file without the server's folder.
        """
        name, start = Path(path).name, time.monotonic()
        blocks: list[np.ndarray] = []
        header = read_header(Path(path))
        self._check_length(name, header.seconds if header else 0)
        try:
            for block in read_blocks(Path(path), self.model.sample_rate, BLOCK):
                blocks.append(block)
                self._check_length(name, sum(map(len, blocks)) / self.model.sample_rate)  # a header may be wrong
                if time.monotonic() - start > MAX_DECODING:
                    raise DataError(f"{name}: takes over {MAX_DECODING:g} seconds to decode; convert it to 16 kHz mono")
        except DataError as error:
            raise DataError(str(error).replace(path, name)) from error
        return within_full_scale(np.concatenate(blocks))

    def _check_length(self, name: str, seconds: float) -> None:
        if seconds > self.max_seconds:
            raise DataError(f"{name}: longer than {self.max_seconds:g} seconds; use a shorter part")

    def predict(self, waveform: np.ndarray) -> tuple[dict[str, float], Figure, Figure | None]:
        """`(T,)` -> the probabilities and features of the loudest second, and the timeline if it is longer than one."""
        model, front_end = self.model, self.model.predictor.front_ends[0]
        assert isinstance(front_end, MultiResolutionMel)
        clip = torch.from_numpy(fit_length(waveform, model.num_samples))[None]
        clip = clip.to(next(front_end.buffers()).device)
        timeline = None
        with rc_context(STYLE):
            seconds = model.num_samples / model.sample_rate
            features = draw_features(front_end(clip)[0].cpu(), front_end.win_lengths, seconds)
            features.suptitle("Features of the loudest second")
            if len(waveform) > model.num_samples:
                timeline = draw_timeline(model.timeline(waveform, model.sample_rate, self.hop), width=WIDTH)
                timeline.suptitle("Words over time")
        probs = cast(pd.Series, model(waveform, model.sample_rate))
        return {str(word): float(prob) for word, prob in probs.items()}, features, timeline

    def mix(self, paths: list[str]) -> np.ndarray:
        """Mix uploads of single words at equal loudness -> `(num_samples,)`; raises what `read` raises."""
        words = np.stack([fit_length(self.read(path), self.model.num_samples) for path in paths])
        gains = torch.ones(1, len(paths))
        offsets = torch.zeros_like(gains, dtype=torch.long)
        return mix(torch.from_numpy(words)[None], gains, offsets, speeds=gains)[0].numpy()


def build_page(model: AppModel, title: str, limits: str, top: int) -> gr.Blocks:
    """Build the page without serving it.

    Args:
        title: the line below the heading.
        limits: the longest and largest recording, in words.
        top: the number of words shown.
    """

    def on_upload(path: str | None) -> tuple:
        if path is None:
            return None, None, gr.Plot(visible=False), gr.Textbox(visible=False)
        try:
            probs, features, timeline = model.predict(model.read(path))
        except DataError as error:
            return None, None, gr.Plot(visible=False), gr.Textbox(str(error), visible=True)
        return probs, features, gr.Plot(timeline, visible=timeline is not None), gr.Textbox(visible=False)

    def on_mix(*paths: str | None) -> tuple:
        uploads = [path for path in paths if path]
        try:
            if len(uploads) < 2:
                raise DataError("record or upload at least two words")
            mixture = model.mix(uploads)
        except DataError as error:
            return None, None, None, gr.Textbox(str(error), visible=True)
        probs, features, _ = model.predict(mixture)
        return (model.model.sample_rate, to_int16(mixture)), probs, features, gr.Textbox(visible=False)

    def error_box() -> gr.Textbox:
        """A message that stays until the next recording, unlike those of `gr.Error`."""
        return gr.Textbox(label="Error", visible=False, interactive=False)

    # Uploads are deleted within two hours, and all of them at the end.
    with gr.Blocks(title="Overlapped words", analytics_enabled=False, delete_cache=(3600, 3600)) as page:
        gr.Markdown(f"# Which words are spoken at once?\n{title}")
        with gr.Tab("Recording"):
            with gr.Row():
                with gr.Column():
                    audio = gr.Audio(type="filepath", label=f"Recording, {limits}", buttons=["download"])
                    error = error_box()
                probs = gr.Label(num_top_classes=top, label="Words in its loudest second", show_heading=False)
            timeline = gr.Plot(show_label=False, visible=False)
            features = gr.Plot(show_label=False)
            outputs = [probs, features, timeline, error]
            audio.change(on_upload, audio, outputs, api_name="predict", show_progress_on=probs)
        with gr.Tab("Mix words"):
            with gr.Row():
                words = [
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
            mix_error = error_box()
            with gr.Row():
                mixture = gr.Audio(label="Mixture", interactive=False, buttons=["download"])
                mix_probs = gr.Label(num_top_classes=top, label="Words", show_heading=False)
            mix_features = gr.Plot(show_label=False)
            outputs = [mixture, mix_probs, mix_features, mix_error]
            button.click(on_mix, words, outputs, api_name="mix", show_progress_on=mix_probs)
        with gr.Accordion("Vocabulary", open=False):
            gr.Markdown(", ".join(model.model.class_names))
    return page
