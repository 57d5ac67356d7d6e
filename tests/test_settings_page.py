"""docs/settings.md: up to date with overlapped_words/settings/ and conf/."""

import importlib.util

from tests.helpers.scripts import ROOT


def test_the_page_of_settings_is_up_to_date() -> None:
    spec = importlib.util.spec_from_file_location("settings_page", ROOT / "docs/settings.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    page = module.page()
    assert page == (ROOT / "docs/settings.md").read_text(encoding="utf-8"), "run python docs/settings.py"
    undescribed = [line for line in page.splitlines() if line.endswith("|  |") and line.startswith("| `")]
    assert not undescribed
