"""Which source the configuration of a run, perhaps somebody else's, may name."""

import os
import webbrowser
from pathlib import Path

import numpy as np
import pytest
import yaml

from overlapped_words.errors import RunError
from overlapped_words.report import report
from overlapped_words.settings.source import trusted_source
from tests.helpers.composed import settings_of
from tests.helpers.fake_members import write_member

HOSTILE = [
    "webbrowser.open",
    "os.system",
    "builtins.exec",
    "hydra.utils.instantiate",
    "lightning_modules.mac.MAC",
    "datamodules.sources.os.system",
    "",
    None,
    5,
    ["webbrowser.open"],
    {"_target_": "webbrowser.open"},
]


@pytest.mark.parametrize("target", HOSTILE)
def test_only_a_source_of_conf_data_is_trusted(target: object):
    with pytest.raises(RunError, match=r"^config.yaml: data.source._target_ is .*, which no file in conf/data names$"):
        trusted_source({"data": {"source": {"_target_": target}, "root": "words"}}, "config.yaml")


def test_its_arguments_are_plain_values_of_the_right_types():
    data = {"source": {"_target_": "datamodules.sources.WordFolder"}, "root": ".", "k": {"_target_": "os.system"}}
    with pytest.raises(RunError, match=r"^config\.yaml: data.k is {'_target_': 'os.system'}; give a whole number"):
        trusted_source({"data": data}, "config.yaml")


@pytest.fixture
def run_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A source -> a run of it with clips in the cache, and only what a report reads before it instantiates a source."""

    def never(*_: object, **__: object) -> None:
        raise AssertionError("the run's configuration was instantiated")

    monkeypatch.setattr(webbrowser, "open", never)
    monkeypatch.setattr(os, "system", never)

    def run_with(source: dict[str, str]) -> Path:
        (tmp_path / "cache").mkdir()
        np.save(tmp_path / "cache" / "waveforms-key.npy", np.zeros(1))
        member = write_member(tmp_path / "sweep", "avg", 0, cache_keys={"val": "key"})
        config = {"data": {"source": source, "cache_dir": str(tmp_path / "cache")}}
        (member / ".hydra" / "config.yaml").write_text(yaml.safe_dump(config))
        return member.parent

    return run_with


@pytest.mark.parametrize(
    "source",
    [{"_target_": "webbrowser.open", "url": "http://localhost"}, {"_target_": "os.system", "command": "touch pwned"}],
)
def test_the_report_on_a_run_of_a_foreign_source_has_no_sound(run_with, source: dict[str, str]):
    sweep = run_with(source)
    report.run(settings_of("ensemble", f"run_dir={sweep}"))
    page = (sweep / "report.html").read_text().replace("&#39;", "'")
    reason = f"data.source._target_ is '{source['_target_']}', which no file in conf/data names"
    assert page.count(reason) == 1 and "<audio" not in page


def test_an_interpolation_in_a_run_is_not_resolved(run_with, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SECRET", "top secret")
    sweep = run_with({"_target_": "datamodules.sources.WordFolder", "root": "${oc.env:SECRET}"})
    with pytest.raises(RunError, match=r"config\.yaml: not plain YAML .*an interpolation"):
        report.run(settings_of("ensemble", f"run_dir={sweep}"))
