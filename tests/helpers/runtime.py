"""What tests need beside this project: optional packages, and onnxruntime-web in the user's cache."""

import os
from importlib.util import find_spec
from pathlib import Path

import pytest

from overlapped_words.export.web_page import URL

CACHE = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "overlapped-words"
ARCHIVE = CACHE / URL.rpartition("/")[2]
needs_runtime = pytest.mark.skipif(not ARCHIVE.is_file(), reason=f"no {ARCHIVE}: pytest -m network downloads it")


def needs(package: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(find_spec(package) is None, reason=f"needs {package}: pip install -e '.[{package}]'")
