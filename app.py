"""Serve a web page for a network: record or upload audio, listen live, mix words, record words to train on.

python app.py                                     # the network that comes with the project
python app.py run_dir=outputs/demo                # the ensemble of a sweep
python app.py run_dir=outputs/demo/avg_seed0      # one member

The page is served to this computer only; recordings are kept in record_dir alone. Needs pip install -e '.[app]'.
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

from overlapped_words.cli import run
from overlapped_words.errors import SettingError
from overlapped_words.pretrained import PRETRAINED
from overlapped_words.settings.app import App

if TYPE_CHECKING:
    import gradio as gr

# Content security policy: browsers load scripts, fonts and images from this server only.
POLICY = "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:"


class LocalOnly:
    """ASGI middleware: the page loads nothing from other servers, and this server fetches nothing from them."""

    def __init__(self, app: Callable[..., Awaitable[None]]) -> None:
        self.app = app

    async def __call__(self, scope: dict[str, Any], receive: Callable, send: Callable) -> None:
        from starlette.datastructures import MutableHeaders
        from starlette.responses import PlainTextResponse

        async def send_with_policy(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["content-security-policy"] = POLICY
            await send(message)

        # Gradio would fetch the URL and pass its content on.
        external = scope["type"] == "http" and re.search(r"/(file|proxy)=https?:", scope["path"])
        app = PlainTextResponse("external URLs are blocked", 404) if external else self.app
        await app(scope, receive, send_with_policy)


def serve(cfg: App, uploads: str) -> "gr.Blocks":
    """Serve the page in the background; `uploads` is the folder for visitors' files.

    Raises:
        UserError: no trained run, no Gradio, or an address that cannot be served at.
    """
    prepare_environment(uploads)
    try:
        import gradio  # noqa: F401
    except ImportError as error:
        raise SettingError(f"the page needs Gradio ({error}): pip install -e '.[app]'") from error

    # These import torch and Gradio, which take seconds.
    from starlette.middleware import Middleware

    from overlapped_words.app.model import AppModel
    from overlapped_words.app.page import STYLE, Origin, build_page, theme
    from overlapped_words.inference.checkpoints import find_checkpoints
    from overlapped_words.inference.model import Model
    from overlapped_words.inference.predictor import load_ensemble
    from overlapped_words.runs.reading import read_config

    path = Path(cfg.run_dir or PRETRAINED)
    checkpoints = find_checkpoints(path)
    try:
        socket.create_server((cfg.host, cfg.port)).close()
    except OSError as error:
        raise SettingError(
            f"cannot serve at {cfg.host}:{cfg.port} ({error}); give another port=... or host=..."
        ) from error
    model = Model(load_ensemble(checkpoints, cfg.device))
    origin = Origin(path, read_config(checkpoints[0].parents[1]))
    limits = f"up to {cfg.max_seconds:g} seconds and {cfg.max_mb} MB"
    page = build_page(AppModel(model, cfg.max_seconds, cfg.hop), origin, limits, cfg.top, cfg.record_dir)
    page.launch(
        server_name=cfg.host,
        server_port=cfg.port,
        max_file_size=f"{cfg.max_mb}mb",
        app_kwargs={"middleware": [Middleware(LocalOnly)]},
        theme=theme(),
        css=STYLE,
        footer_links=[],
        share=False,
        ssr_mode=False,
        run_history=False,
        prevent_thread_lock=True,
        quiet=True,
    )
    return page


def prepare_environment(uploads: str) -> None:
    """Set the environment variables that Gradio reads when it is imported."""
    for name in [name for name in os.environ if name.startswith("GRADIO_")]:
        del os.environ[name]  # some open what is closed here: GRADIO_SHARE, GRADIO_ALLOWED_PATHS
    # When it starts, Gradio sends a request to its own server, which must not go through a proxy.
    os.environ.update(GRADIO_ANALYTICS_ENABLED="False", GRADIO_TEMP_DIR=uploads, NO_PROXY="*", no_proxy="*")
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it would log that request


def main(settings: App) -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # without this, a kill would leave the uploads
    with TemporaryDirectory() as uploads:
        page = serve(settings, uploads)
        print(f"{page.local_url} (press Ctrl+C to stop)", flush=True)
        page.block_thread()


if __name__ == "__main__":
    run(main, App)
