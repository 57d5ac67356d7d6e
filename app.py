"""Serves a page to try a trained run: record or upload a sound, mix words, see what is heard.

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
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import hydra
from omegaconf import DictConfig

import cli
from errors import SettingError

# Only what --help needs is imported here: Gradio and torch take seconds.
if TYPE_CHECKING:
    import gradio as gr

    from settings.app import App

# The page may ask nobody but this server for scripts, fonts or pictures, whatever a release of Gradio would like.
POLICY = "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:"


class LocalOnly:
    """ASGI middleware: a page that loads nothing from elsewhere, from a server that fetches nothing from elsewhere."""

    def __init__(self, app: Callable[..., Awaitable[None]]) -> None:
        self.app = app

    async def __call__(self, scope: dict[str, Any], receive: Callable, send: Callable) -> None:
        from starlette.datastructures import MutableHeaders
        from starlette.responses import PlainTextResponse

        async def send_with_policy(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["content-security-policy"] = POLICY
            await send(message)

        # Gradio would fetch the address and pass it on.
        elsewhere = scope["type"] == "http" and re.search(r"/(file|proxy)=https?:", scope["path"])
        app = PlainTextResponse("nothing from elsewhere", 404) if elsewhere else self.app
        await app(scope, receive, send_with_policy)


def serve(cfg: "App", uploads: str) -> "gr.Blocks":
    """The page, served in the background; `uploads` is the folder for what visitors send.

    Raises:
        SettingError: no run, no Gradio, or no serving at `cfg.host` and `cfg.port`.
    """
    from inference.checkpoints import find_checkpoints

    checkpoints = find_checkpoints(Path(cfg.run_dir))
    for name in [name for name in os.environ if name.startswith("GRADIO_")]:
        del os.environ[name]  # some open what is closed here: GRADIO_SHARE, GRADIO_ALLOWED_PATHS
    logging.getLogger("httpx").setLevel(logging.WARNING)  # Gradio asks itself whether it is there
    # ... and would ask by a proxy where one is set.
    os.environ.update(GRADIO_ANALYTICS_ENABLED="False", GRADIO_TEMP_DIR=uploads, NO_PROXY="*", no_proxy="*")
    try:
        import gradio as gr
    except ImportError as error:
        raise SettingError(f"the page needs Gradio ({error}): pip install -e '.[app]'") from error
    from starlette.middleware import Middleware

    from inference.model import Model
    from inference.predictor import load_ensemble
    from reporting.app_page import Ears, build_page

    try:
        socket.create_server((cfg.host, cfg.port)).close()
    except OSError as error:
        raise SettingError(
            f"cannot serve at {cfg.host}:{cfg.port} ({error}); give another port=... or host=..."
        ) from error
    model = Model(load_ensemble(checkpoints, cfg.device))
    title = f"{Path(cfg.run_dir).resolve().name}: {model.predictor.summary}, {len(model.class_names)} words"
    limits = f"up to {cfg.max_seconds:g} seconds and {cfg.max_mb} MB"
    page = build_page(Ears(model, cfg.max_seconds, cfg.hop), title, limits, cfg.top)
    page.launch(
        server_name=cfg.host,
        server_port=cfg.port,
        max_file_size=f"{cfg.max_mb}mb",
        app_kwargs={"middleware": [Middleware(LocalOnly)]},
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
    from settings import check
    from settings.app import App

    settings = check(App, cfg)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # or a kill would leave what visitors sent
    with TemporaryDirectory() as uploads:
        page = serve(settings, uploads)
        print(f"{page.local_url} (Ctrl+C ends it)", flush=True)
        page.block_thread()


if __name__ == "__main__":
    cli.run(main)
