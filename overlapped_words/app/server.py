"""Serve the web page until it is stopped. Imports no Gradio: the environment has to be prepared before that."""

import logging
import os
import signal
import socket
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from overlapped_words.errors import SettingError
from overlapped_words.paths import install
from overlapped_words.pretrained import PRETRAINED
from overlapped_words.settings.scripts import App

if TYPE_CHECKING:
    import gradio as gr


def serve(cfg: App) -> None:
    """Serve the page until the process is stopped, and delete what visitors uploaded.

    Raises:
        UserError: no trained run, no Gradio, or an address that cannot be served at.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # without this, a kill would leave the uploads
    with TemporaryDirectory() as uploads:
        page = start(cfg, uploads)
        print(f"{page.local_url} (press Ctrl+C to stop)", flush=True)
        page.block_thread()


def start(cfg: App, uploads: str) -> "gr.Blocks":
    """Serve the page in the background; `uploads` is the folder for visitors' files. Raises what `serve` raises."""
    # Gradio reads environment variables when it is imported. Some open what is closed here: GRADIO_SHARE.
    for name in [name for name in os.environ if name.startswith("GRADIO_")]:
        del os.environ[name]
    # When it starts, it sends a request to its own server, which must not go through a proxy, nor into the log.
    os.environ.update(GRADIO_ANALYTICS_ENABLED="False", GRADIO_TEMP_DIR=uploads, NO_PROXY="*", no_proxy="*")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        import gradio as gr
    except ImportError as error:
        raise SettingError(f"the page needs Gradio ({error}): {install('app')}") from error

    import torch
    from starlette.middleware import Middleware

    from overlapped_words.app.guard import Guard, block_fetching
    from overlapped_words.app.model import AppModel
    from overlapped_words.app.page import STYLE, TEXTS, build_page, theme
    from overlapped_words.inference.checkpoints import find_checkpoints
    from overlapped_words.inference.model import Model
    from overlapped_words.inference.predictor import load_predictor
    from overlapped_words.runs.reading import read_config

    path = Path(cfg.run_dir or PRETRAINED)
    checkpoints = find_checkpoints(path)
    try:  # Gradio's error names settings of its own
        socket.create_server((cfg.host, cfg.port)).close()
    except OSError as error:
        where = f"{cfg.host}:{cfg.port}"
        raise SettingError(f"cannot serve at {where} ({error}); give another port=... or host=...") from error
    # Visitors are answered in parallel, and the threads of each would wait for those of the others.
    torch.set_num_threads(1)
    model = AppModel(Model(load_predictor(checkpoints, cfg.device)), cfg.max_seconds, cfg.hop)
    page = build_page(model, cfg, path.resolve().name, read_config(checkpoints[0].parents[1]))
    block_fetching()
    page.launch(
        server_name=cfg.host,
        server_port=cfg.port,
        max_file_size=f"{cfg.max_mb}mb",
        app_kwargs={"middleware": [Middleware(Guard, cfg.host, cfg.allowed_hosts)]},
        theme=theme(),
        css=STYLE,
        i18n=gr.I18n(en=TEXTS),
        footer_links=[],
        share=False,
        ssr_mode=False,
        run_history=False,
        prevent_thread_lock=True,
        quiet=True,
    )
    return page
