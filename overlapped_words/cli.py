"""What the scripts share: arguments in Hydra's grammar, and settings checked."""

import logging
import os
import re
import sys
import warnings
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from io import TextIOWrapper
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from overlapped_words.hydra_errors import exit_on_closed_pipe, exit_on_error
from overlapped_words.paths import CONF, command

PATHS = ("run_dir", "ckpt_path", "input", "output")
LIST = re.compile(r"\[([^\[\]\"]+)\]")  # without lists in it, and without strings in double quotes


def run(main: Callable[[Any], Any], schema: Any) -> None:
    """Run a script: compose conf/<script>.yaml with the command line, check it, call `main` with it.

    A user error, an operating system error or a setting that Hydra rejects: print one message on stderr and exit with
    status 1. A bug: print the traceback. HYDRA_FULL_ERROR=1 shows the traceback of all of them.

    Args:
        main: takes the settings; what it returns is what a sweeper minimizes.
        schema: the dataclass of the settings, named after the script.
    """
    for stream in (sys.stdout, sys.stderr):  # a console that cannot encode a word shows its escape
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    sys.argv[1:] = as_overrides(sys.argv[1:], schema)
    debug = bool(os.environ.get("HYDRA_FULL_ERROR"))
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra raises errors as they are; its own report shortens the traceback
    # conf/hydra/launcher has files with the names of the launchers' own, which they extend. Hydra warns about that.
    warnings.filterwarnings("ignore", message=r"\s*'hydra/launcher/")
    logging.raiseExceptions = False  # no traceback for a log line that a full disk or a closed pipe rejects
    started = []

    def job(cfg: DictConfig) -> Any:
        from overlapped_words.settings.check import check  # Pydantic, which --help does not need

        started.append(True)
        # In a sweep, Hydra collects the errors of the members, so that the others go on.
        single = HydraConfig.get().mode == RunMode.RUN
        with exit_on_error() if single and not debug else nullcontext():
            return main(check(schema, cfg))

    try:
        try:
            with nullcontext() if debug else exit_on_error(lambda: not started):
                script = hydra.main(version_base="1.3", config_path=str(CONF), config_name=schema.__name__.lower())
                script(job)()
        finally:
            sys.stdout.flush()
    except BrokenPipeError:  # --help | head
        exit_on_closed_pipe()
    except KeyboardInterrupt:
        sys.exit(130)


def as_overrides(arguments: Sequence[str], schema: Any) -> list[str]:
    """Rewrite arguments in Hydra's grammar.

    Quote paths and words: the grammar does not allow '=', ',' and letters outside of ASCII in them. Replace
    `GROUP=null` by `~GROUP`, and `FILE` by `input=FILE` for a script that has an input.
    """
    overrides: list[str] = []
    for before, argument in zip(["", *arguments], arguments, strict=False):
        name, equals, value = argument.partition("=")
        is_option = argument[:1] in ("-", "~") or before.startswith("-")  # or its value: --cfg job
        if not equals and not is_option and "input" in schema.__dataclass_fields__:
            argument = _as_input(argument, overrides)
        elif value == "null" and name.isidentifier() and (CONF / name).is_dir():
            argument = f"~{name}"
        elif name in PATHS and equals and value and value[0] not in "'\"" and value != "null":
            argument = f"{name}={_quoted(value)}"
        elif name == "data.words" and (match := LIST.fullmatch(value)):
            words = [word.strip() for word in match[1].split(",")]
            if not any(word.startswith("'") for word in words):
                argument = f"{name}=[{','.join(map(_quoted, words))}]"
        overrides.append(argument)
    return overrides


def _as_input(argument: str, overrides: Sequence[str]) -> str:
    if not os.path.exists(argument):
        sys.exit(f"{argument}: no such file or folder; give a recording, a folder of recordings, or name=value")
    if any(override.startswith("input=") for override in overrides):
        sys.exit(f"{argument}: a second input; give one recording, a folder of them, or a list of them (.txt)")
    return f"input={_quoted(argument)}"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def jobs_at_once(accelerator: str) -> int:
    """How many jobs of a sweep run in parallel on this machine: one per core, or one on a GPU."""
    import joblib
    import torch

    on_gpu = accelerator != "cpu" and (torch.cuda.is_available() or torch.backends.mps.is_available())
    return 1 if on_gpu else joblib.cpu_count()


OmegaConf.register_new_resolver("command", command, replace=True)  # in the help texts of conf/
OmegaConf.register_new_resolver("jobs_at_once", jobs_at_once, replace=True)
