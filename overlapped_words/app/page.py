"""The web page of app.py: what it says about the network, and its tabs."""

from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from datamodules.waveforms import SAMPLE_RATE
from overlapped_words.app import live, recording, word_folder
from overlapped_words.app.model import AppModel
from overlapped_words.messages import count, printable
from overlapped_words.settings.scripts import App

TEXTS = {"common.complete": "Complete"}  # that Gradio shows or reads out, but has no translation of
STYLE = """
.rolling { width: 100%; max-width: 40rem; fill: currentColor; font-size: 17px; }
.rolling rect { fill: var(--color-accent); }
.dark { --color-accent: var(--primary-400) !important; }
#time, #duration, .playback { color: var(--body-text-color) !important; }
.now { font-size: 1.4rem; min-height: 2.2em; overflow-wrap: anywhere; }
.rolling .event { fill: none; stroke: currentColor; stroke-width: 2; }
.events tr, .events td { border: 0 !important; }
.events td { padding: 0.1rem 1rem 0.1rem 0 !important; overflow-wrap: anywhere; }
.events { font-variant-numeric: tabular-nums; }
.events td:nth-child(odd) { text-align: right; }
"""


def training_data(config: Mapping[str, Any]) -> str:
    """The recordings that a network was trained on, as text, from its settings; empty if they are unknown."""
    data = config.get("data") or {}
    source = str((data.get("source") or {}).get("_target_", "")).rpartition(".")[-1]
    root = Path(str(data.get("root"))).name  # not the path: visitors need not know it
    return {
        "Synthetic": "words spoken by the speech synthesizer eSpeak NG",
        "SpeechCommands": "Google Speech Commands",
        "WordFolder": f"recordings of single words in {root}",
        "CompetitionFolder": f"the recordings of a competition in {root}",
    }.get(source, source)


def build_page(model: AppModel, settings: App, name: str, config: Mapping[str, Any]) -> gr.Blocks:
    """Build the page without serving it; `name` is that of the network, `config` the settings it was trained with."""
    limits = f"up to {settings.max_seconds:g} seconds and {settings.max_mb} MB"
    # Uploads are deleted within two hours, and all of them at the end.
    with gr.Blocks(title="Overlapped words", analytics_enabled=False, delete_cache=(3600, 3600)) as page:
        gr.HTML(
            "<h1>Which words are spoken at once?</h1>"
            "<p>Record or upload one person, or several at the same time, who say some of these words: "
            f"<b>{escape(', '.join(map(printable, model.class_names)))}</b>.</p>"
        )
        with gr.Accordion("About the network and its limits", open=False):
            gr.HTML(about(model, name, training_data(config), limits))
        recording.build_recording_tab(model, limits, settings.top)
        live.build_tab(model)
        recording.build_mixture_tab(model, settings.top)
        word_folder.build_tab(model, settings.record_dir)
    return page


def theme() -> gr.themes.Base:
    """Colors with the contrast that WCAG asks for, and fonts of the visitor's device."""
    fonts: dict[str, Any] = {"font": ["system-ui", "sans-serif"], "font_mono": ["monospace"]}
    return gr.themes.Default(primary_hue="blue", **fonts).set(
        color_accent="*primary_600",
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_300",
        button_primary_background_fill="*primary_700",
        button_primary_background_fill_hover="*primary_800",
    )


def about(model: AppModel, name: str, data: str, limits: str) -> str:
    """What the numbers mean, the limits, and where the network comes from."""
    shares = "They sum to 1 over all words; words that are spoken at once share it, for example 0.5 each for two words."
    presence = "Each word has its own: two words that are spoken at once may both have 96 %."
    second = "The network listens to one second, the loudest one of a longer recording."
    seconds = "The network listens to one second, the loudest one of up to two; in a longer recording, to all."
    items = {
        "Probabilities": presence if model.predictor.k else shares,
        "One second": seconds if model.has_events else second,
        "Recordings": f"{limits[0].upper()}{limits[1:]}; WAV, FLAC, Ogg, MP3, AIFF and other formats of libsndfile.",
        "Other words": "The network mistakes other words for similar ones"
        + (", unless it answers that none of its words is spoken." if model.has_events else "."),
        "Network": f"{name}: {model.predictor.summary}, {count(len(model.class_names), 'word')}, {SAMPLE_RATE} Hz",
        "Trained on": data,
    }
    rows = [f"<dt><b>{item}</b></dt><dd>{escape(printable(text))}</dd>" for item, text in items.items() if text]
    return f"<dl>{''.join(rows)}</dl>"
