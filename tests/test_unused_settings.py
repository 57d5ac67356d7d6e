"""A setting without effect is a warning."""

from pathlib import Path

import pytest
from omegaconf import OmegaConf, read_write

from overlapped_words.settings.callback import hydra_config
from overlapped_words.settings.check import check
from overlapped_words.settings.unused import warn_unused
from tests.helpers.composed import configuration, schema
from tests.helpers.scripts import run
from tests.helpers.small_runs import write_finished


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_finished(tmp_path_factory.mktemp("home"))


@pytest.mark.parametrize(
    ("line", "warnings"),
    [
        ("train data.val_fraction=0 data.val_size=5", ["data.val_size has no effect: data.val_fraction is 0"]),
        (
            "train data.k=1 data.curriculum=0.5",
            ["data.curriculum has no effect: data.k is 1 from the first epoch on"],
        ),
        (
            "train data=words data.root=data data.submission=data data.test_size=5 data.test_fraction=0.1",
            [
                f"data.{name} has no effect: data.submission is the test split"
                for name in ("test_fraction", "test_size")
            ],
        ),
        ("train teacher_weight=0.5", ["teacher_weight has no effect: teacher is null"]),
        ("train ~logger callbacks.dashboard.num_clips=1", ["callbacks.dashboard.num_clips has no effect: there is"]),
        ("train data.val_size=5 data.curriculum=0.5", []),
        ("predict run_dir=data input=data output=a.csv top=3", ["top has no effect: output writes the probabil"]),
        ("ensemble run_dir=data status=true html=false", ["html has no effect: status=true writes nothing"]),
        ("ensemble run_dir=data html=false", []),
    ],
)
def test_a_setting_without_effect_is_a_warning(finished: Path, caplog, monkeypatch, line: str, warnings: list[str]):
    monkeypatch.chdir(finished)
    script, *overrides = line.split()
    cfg = configuration(script.removesuffix(".py"), *overrides, hydra=True)
    with read_write(cfg.hydra):
        cfg.hydra.runtime.output_dir = "outputs"
    with hydra_config(cfg):
        settings = check(
            schema(script.removesuffix(".py")), OmegaConf.masked_copy(cfg, [n for n in cfg if n != "hydra"])
        )
        warn_unused(settings)
    found = [record.getMessage() for record in caplog.records]
    assert len(found) == len(warnings)
    assert all(message.startswith(warning) for message, warning in zip(found, warnings, strict=True))


def test_the_warning_is_printed(finished: Path):
    options = ["data=competition", "data.root=data", "teacher_weight=0.5"]
    printed = run("ensemble.py", "run_dir=nix", "status=true", "html=false", cwd=finished, expect=1)
    assert "html has no effect: status=true writes nothing" in printed
    printed = run("train.py", *options, cwd=finished)
    assert "teacher_weight has no effect: teacher is null" in printed
