"""Tests that need a package of an extra."""

from importlib.util import find_spec

import pytest


def needs(package: str) -> pytest.MarkDecorator:
    """Skip a test where `package` is missing."""
    return pytest.mark.skipif(find_spec(package) is None, reason=f"needs {package}: pip install -e '.[{package}]'")
