"""A page to try a trained run: record or upload a sound, mix words, see what is heard.

python app.py run_dir=outputs/demo                # the ensemble of a sweep
python app.py run_dir=outputs/demo/avg_seed0      # one member

It is served to this computer alone and keeps no recording. Needs pip install -e '.[app]'.
"""

import logging
import os
import re
import signal
import socket
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import hydra
from hydra.errors import CompactHydraException
from omegaconf import DictConfig, OmegaConf

# Only what --help needs is imported here: Gradio and torch take seconds.
if TYPE_CHECKING:
    import gradio as gr
    import numpy as np
    from matplotlib.figure import Figure

    from overlapped_words import Model

# The page may ask nobody but this server for scripts, fonts or pictures, whatever a release of Gradio would like.
POLICY = "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:"
NUM_WORDS = 4  # places for words to mix
GREY = "#868686"  # readable on the light and on the dark page
STYLE = {f"{part}color": GREY for part in ("text.", "axes.label", "axes.edge", "xtick.", "ytick.")}
STYLE |= {"figure.facecolor": "none", "axes.facecolor": "none"}


class AppError(ValueError):
    """The page cannot be served; the message names the setting and the remedy."""


class OnlyHere:
    """ASGI middleware: a page that loads nothing from elsewhere, from a server that fetches nothing from elsewhere."""

    def __init__(self, app: Callable[..., Awaitable[None]]) -> None:
        self.app = app

    async def __call__(self, scope: dict[str, Any], receive: Callable, send: Callable) -> None:
        from starlette.datastructures import MutableHeaders
        from starlette.responses import PlainTextResponse

        async def send_with_policy(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["content-security-policy"] = POLICY
            await send(message)

        # Gradio would fetch the address and pass it on.
        elsewhere = scope["type"] == "http" and re.search(r"/(file|proxy)=https?:", scope["path"])
        app = PlainTextResponse("nothing from elsewhere", 404) if elsewhere else self.app
        await app(scope, receive, send_with_policy)


class Ears:
    """What the page shows of a sound; paths are those of uploads."""

    def __init__(self, model: "Model", max_seconds: float, hop: float) -> None:
        self.model, self.max_seconds, self.hop = model, max_seconds, hop

    def read(self, path: str) -> "np.ndarray":
        """An upload -> `(T,)` float32 in [-1, 1] at the model's rate.

        Raises:
            DataError: it cannot be used or is too long; the message has its name, not the server's path to it.
        """
        import numpy as np

        from datamodules.recordings import DataError, read_blocks, within_full_scale

        blocks, name = [], Path(path).name
        try:
            for block in read_blocks(Path(path), self.model.sample_rate):
                blocks.append(block)
                if sum(map(len, blocks)) > self.max_seconds * self.model.sample_rate:
                    raise DataError(f"{name}: longer than {self.max_seconds:g} seconds; take a part of it")
        except DataError as error:
            raise DataError(str(error).replace(path, name)) from error
        return within_full_scale(np.concatenate(blocks))

    def hear(self, waveform: "np.ndarray") -> tuple[dict[str, float], "Figure", "Figure | None"]:
        """`(T,)` -> word probabilities and features of its loudest second; of a longer one the timeline too."""
        import torch
        from matplotlib import rc_context

        from datamodules.recordings import fit_length
        from lightning_modules.pictures import draw_features, draw_timeline

        model, front_end = self.model, self.model.predictor.front_ends[0]
        clip = torch.from_numpy(fit_length(waveform, model.num_samples))[None].to(front_end.slope.device)
        timeline = None
        with rc_context(STYLE):
            seconds = model.num_samples / model.sample_rate
            pictures = draw_features(front_end(clip)[0].cpu(), front_end.win_lengths, seconds)
            pictures.suptitle("What the network sees of the loudest second")
            if len(waveform) > model.num_samples:
                timeline = draw_timeline(model.timeline(waveform, model.sample_rate, self.hop))
                timeline.suptitle("When")
        return model(waveform, model.sample_rate).to_dict(), pictures, timeline

    def mix(self, paths: list[str]) -> "np.ndarray":
        """Uploads of single words -> all of them at once, equally loud, `(num_samples,)`; raises what `read` raises."""
        import numpy as np
        import torch

        from datamodules.mixing import mix
        from datamodules.recordings import fit_length

        words = np.stack([fit_length(self.read(path), self.model.num_samples) for path in paths])
        together = torch.ones(1, len(paths))
        return mix(torch.from_numpy(words)[None], together, torch.zeros_like(together, dtype=torch.long))[0].numpy()


def build_page(ears: Ears, title: str, top: int) -> "gr.Blocks":
    """The page, not served yet."""
    import gradio as gr

    from datamodules.recordings import DataError, to_int16

    def on_sound(path: str | None) -> tuple:
        if path is None:
            return None, None, gr.Plot(visible=False)
        try:
            words, pictures, timeline = ears.hear(ears.read(path))
        except DataError as error:
            raise gr.Error(str(error), print_exception=False) from error
        return words, pictures, gr.Plot(timeline, visible=timeline is not None)

    def on_mix(*paths: str | None) -> tuple:
        given = [path for path in paths if path]
        if len(given) < 2:
            raise gr.Error("Record or upload at least two words", print_exception=False)
        try:
            mixture = ears.mix(given)
        except DataError as error:
            raise gr.Error(str(error), print_exception=False) from error
        words, pictures, _ = ears.hear(mixture)
        return (ears.model.sample_rate, to_int16(mixture)), words, pictures

    # What visitors leave is deleted within two hours, all of it at the end.
    with gr.Blocks(title="Overlapped words", analytics_enabled=False, delete_cache=(3600, 3600)) as page:
        gr.Markdown(f"# Which words are spoken at once?\n{title}")
        with gr.Tab("A recording"):
            with gr.Row():
                sound = gr.Audio(type="filepath", label="Sound of any length", buttons=["download"])
                words = gr.Label(num_top_classes=top, label="Words in its loudest second", show_heading=False)
            timeline = gr.Plot(show_label=False, visible=False)
            pictures = gr.Plot(show_label=False)
            sound.change(on_sound, sound, [words, pictures, timeline], api_name="hear", show_progress_on=words)
        with gr.Tab("Mix words"):
            with gr.Row():
                places = [
                    gr.Audio(
                        type="filepath",
                        label=f"Word {i + 1}",
                        min_width=160,
                        buttons=["download"],
                    )
                    for i in range(NUM_WORDS)
                ]
            button = gr.Button("Mix", variant="primary")
            with gr.Row():
                mixture = gr.Audio(label="All at once", interactive=False, buttons=["download"])
                mixed = gr.Label(num_top_classes=top, label="Words", show_heading=False)
            seen = gr.Plot(show_label=False)
            button.click(on_mix, places, [mixture, mixed, seen], api_name="mix", show_progress_on=mixed)
        with gr.Accordion("Words that it knows", open=False):
            gr.Markdown(", ".join(ears.model.class_names))
    return page


def serve(cfg: DictConfig, uploads: str) -> "gr.Blocks":
    """The page, served in the background; `uploads` is the folder for what visitors send.

    Raises:
        AppError: no run, no Gradio, or no serving at `cfg.host` and `cfg.port`.
    """
    if OmegaConf.is_missing(cfg, "run_dir"):
        raise AppError("run_dir is not set: python app.py run_dir=outputs/<name>")
    for name in [name for name in os.environ if name.startswith("GRADIO_")]:
        del os.environ[name]  # some open what is closed here: GRADIO_SHARE, GRADIO_ALLOWED_PATHS
    logging.getLogger("httpx").setLevel(
        logging.WARNING
    )  # Gradio asks itself whether it is there, if it must by a proxy
    os.environ.update(GRADIO_ANALYTICS_ENABLED="False", GRADIO_TEMP_DIR=uploads, NO_PROXY="*", no_proxy="*")
    try:
        import gradio as gr
    except ImportError as error:
        raise AppError(f"the page needs Gradio ({error}): pip install -e '.[app]'") from error
    from starlette.middleware import Middleware

    from datamodules.windows import check_hop
    from overlapped_words import load

    check_hop(cfg.hop)
    try:
        socket.create_server((cfg.host, cfg.port)).close()
    except (OSError, OverflowError, TypeError) as error:
        raise AppError(f"cannot serve at {cfg.host}:{cfg.port} ({error}); give another port=... or host=...") from error
    model = load(cfg.run_dir, cfg.device)
    members = len(model.predictor.networks)
    title = f"{Path(cfg.run_dir).resolve().name}: {members} member{'s' * (members > 1)}, {len(model.class_names)} words"
    page = build_page(Ears(model, cfg.max_seconds, cfg.hop), title, cfg.top)
    page.launch(
        server_name=cfg.host,
        server_port=cfg.port,
        max_file_size=f"{cfg.max_mb}mb",
        app_kwargs={"middleware": [Middleware(OnlyHere)]},
        theme=gr.themes.Default(font=["system-ui", "sans-serif"], font_mono=["monospace"]),
        footer_links=[],
        share=False,
        ssr_mode=False,
        run_history=False,
        prevent_thread_lock=True,
        quiet=True,
    )
    return page


@hydra.main(version_base="1.3", config_path="conf", config_name="app")
def main(cfg: DictConfig) -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # or a kill would leave what visitors sent
    try:
        with TemporaryDirectory() as uploads:
            page = serve(cfg, uploads)
            print(f"{page.local_url} (Ctrl+C ends it)", flush=True)
            page.block_thread()
    except (ValueError, OSError) as error:  # what this program refuses; the stack is a HYDRA_FULL_ERROR=1 away
        raise CompactHydraException(str(error)) from error


if __name__ == "__main__":
    main()
