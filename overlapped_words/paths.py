"""Where the settings and the scripts are: beside the package in a checkout, inside of it in a wheel."""

from pathlib import Path

PACKAGE = Path(__file__).parent
INSTALLED = (PACKAGE / "conf").is_dir()  # from a wheel
CONF = PACKAGE / "conf" if INSTALLED else PACKAGE.parent / "conf"
SCRIPTS = PACKAGE / "scripts" if INSTALLED else PACKAGE.parent


def command(script: str) -> str:
    """How to call a script: `python train.py`, or `overlapped-words train`."""
    return f"overlapped-words {script}" if INSTALLED else f"python {script}.py"


def install(extra: str) -> str:
    """How to install an extra."""
    return f"pip install 'overlapped-words[{extra}]'" if INSTALLED else f"pip install -e '.[{extra}]'"
