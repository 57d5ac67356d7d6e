"""What produced a run: command, commit, versions, machine and process."""

import os
import platform
import socket
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

PACKAGES = ("torch", "torchaudio", "lightning", "hydra-core", "numpy")


def provenance() -> dict[str, Any]:
    """The command line, the git commit and whether the tree has changes, the versions and the machine."""
    commit = _git("rev-parse", "HEAD")
    return {
        "command": sys.argv,
        "git_commit": commit,
        "git_dirty": commit and bool(_git("status", "--porcelain", "--untracked-files=no")),
        "versions": {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
        "machine": platform.platform(),
    }


def this_process() -> dict[str, Any]:
    """Host and process id, by which `RunFolder.status` checks that the process still runs."""
    return {"host": socket.gethostname(), "pid": os.getpid()}


def is_running(pid: int) -> bool:
    """Whether another process with this id runs on this machine."""
    try:
        os.kill(pid, 0)  # signal 0 only checks that the process exists
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # it runs as another user
        return True
    return pid != os.getpid()


def _git(*arguments: str) -> str | None:
    """The output of git for this checkout; None without git or outside a checkout."""
    folder = Path(__file__).parent
    try:
        return subprocess.check_output(["git", *arguments], cwd=folder, text=True, stderr=subprocess.DEVNULL).strip()
    except (OSError, subprocess.CalledProcessError):
        return None
