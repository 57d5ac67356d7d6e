"""onnxruntime-web for tests: from the user's cache, because a test downloads nothing."""

import os
from pathlib import Path

import pytest

from overlapped_words.export.web_page import URL

CACHE = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "overlapped-words"
ARCHIVE = CACHE / URL.rpartition("/")[2]
needs_runtime = pytest.mark.skipif(not ARCHIVE.is_file(), reason=f"no {ARCHIVE}: pytest -m network downloads it")
