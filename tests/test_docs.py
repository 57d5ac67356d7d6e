"""What README and docs/ tell to type works: their commands, their links and their examples of code."""

import importlib.util
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf

import datamodules
import ensemble
import lightning_modules
import train
from cli import quote_paths
from inference.predictor import Predictor
from lightning_modules.classifier import NETWORKS, WordClassifier
from settings import check as check_settings
from settings.ensemble import Ensemble
from settings.train import Train
from tests.fake_members import write_member, write_unequal
from tests.fake_recordings import write_word_folder
from tests.scripts import ENVIRONMENT, ROOT

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
TEXTS = {str(page.relative_to(ROOT)): page.read_text(encoding="utf-8") for page in PAGES}
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", flags=re.MULTILINE | re.DOTALL)
RUN_BY = {"docs/tutorial.py": "test_tutorial.py", "examples/onnx_words.py": "test_onnx_export.py"}  # other tests
PROGRAM = re.compile(r"(\w+=\S+ )*(python|make|pip|tensorboard|eval|\.venv/bin/\S+) ")


def commands() -> Iterator[tuple[str, str]]:
    """Page and command: the lines of blocks that start with a program, and code in the text that does."""
    for page, text in TEXTS.items():
        lines = [line for _, block in BLOCK.findall(text) if PROGRAM.match(block) for line in block.splitlines()]
        lines += [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", BLOCK.sub("", text))]
        for line in filter(PROGRAM.match, lines):
            for command in re.split(r"\s# ", line)[0].split(" && "):
                yield page, re.sub(r"^(\w+=\S+ )+|[<>]", "", command.strip())  # of outputs/<name> the name


def examples() -> dict[str, str]:
    """The files that pages show, by the path in their first line."""
    shown = (block.partition("\n") for text in TEXTS.values() for language, block in BLOCK.findall(text) if language)
    return {first[2:]: rest for first, _, rest in shown if re.fullmatch(r"# [\w/]+\.\w+", first)}


@pytest.fixture(scope="module")
def extended(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with those files, as if they were in their places in the project."""
    folder = tmp_path_factory.mktemp("examples")
    for path, text in examples().items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        for package in (datamodules, lightning_modules):
            patch.setattr(package, "__path__", [*package.__path__, str(folder / package.__name__)])
        patch.setitem(NETWORKS, "recurrent", importlib.import_module("lightning_modules.recurrent").Recurrent)
        patch.setattr("lightning_modules.allocator.keep_freed_memory", lambda: None)  # of this process of tests
        yield folder


def configurations(script: str, arguments: list[str], extended: Path) -> list[DictConfig]:
    """What the script would run with: of a sweep, its first and its last member."""
    flags = {argument for argument in arguments if "=" not in argument}
    assert flags <= {"-m", "--cfg", "job", "--help"}, f"{flags}: what the test does not know"
    overrides = quote_paths([argument for argument in arguments if argument not in flags])
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        jobs = BasicSweeper.split_arguments(OverridesParser.create().parse_overrides(overrides), None)[0]
        assert len(jobs) == 1 or "-m" in flags, "a sweep without -m"
        places = f"hydra.searchpath=['file://{extended / 'conf'}']"
        return [compose(script.removesuffix(".py"), [places, *job]) for job in jobs[:1] + jobs[1:][-1:]]


def check_script(script: str, arguments: list[str], extended: Path, tmp_path: Path) -> None:
    """Every setting exists and none is left open; ensemble.py, which takes no time, is run."""
    for cfg in configurations(script, arguments, extended):
        assert "--help" in arguments or "???" not in OmegaConf.to_yaml(cfg), "a setting that must be given"
    if script == "ensemble.py" and "--help" not in arguments:
        if cfg.combine == "stacked":
            write_unequal(tmp_path)
        else:
            for seed in range(cfg.expect or 2):
                write_member(tmp_path, "avg", seed)
        ensemble.ensemble(check_settings(Ensemble, OmegaConf.merge(cfg, {"run_dir": str(tmp_path), "html": False})))


def check_module(module: str, arguments: list[str]) -> None:
    """A benchmark: too long to run, but it takes these options."""
    source = Path(importlib.util.find_spec(module).origin).read_text(encoding="utf-8")
    assert all(f'"{argument}"' in source for argument in arguments if argument.startswith("--"))


def check(command: str, extended: Path, tmp_path: Path) -> None:
    """Run a command, or what of it costs little."""
    match shlex.split(command):
        case ["python", script, *arguments] if (ROOT / "conf" / script).with_suffix(".yaml").exists():
            check_script(script, arguments, extended, tmp_path)
        case ["python", script, *_] if script in RUN_BY:
            assert Path(script).name in (ROOT / "tests" / RUN_BY[script]).read_text()
        case ["python", "-m", "pytest", path, *_]:
            assert (ROOT / path).exists()
        case ["python", "-m", module, *arguments]:
            check_module(module, arguments)
        case ["python", "-c", code]:
            exec(code, {})
        case ["make", *targets]:
            assert all(f"\n{target}: " in (ROOT / "Makefile").read_text() for target in targets)
        case ["pip", "install", "-e", extra]:
            assert f"\n{extra[2:-1]} = [" in (ROOT / "pyproject.toml").read_text()
        case ["pip", "install", *packages]:
            assert all(f'"{package}>=' in (ROOT / "pyproject.toml").read_text() for package in packages)
        case ["tensorboard", "--logdir", "outputs"]:
            assert importlib.util.find_spec("tensorboard")
        case [".venv/bin/pre-commit", "install"]:
            assert "pre-commit" in (ROOT / "pyproject.toml").read_text()
        case ["eval", "$(python train.py -sc install=bash)"]:
            check_completion()
        case _:
            pytest.fail(f"no test runs `{command}`; name one in RUN_BY or add a case to `check` in tests/test_docs.py")


def check_completion() -> None:
    """What the shell asks, and is told, when the tab key is pressed."""
    asked = {**ENVIRONMENT, "COMP_LINE": "python train.py experiment=", "COMP_POINT": "27"}
    query = [sys.executable, "train.py", "-sc", "query=bash"]
    told = subprocess.run(query, cwd=ROOT, env=asked, capture_output=True, text=True).stdout.split()
    assert {"experiment=winner", "experiment=best"} <= set(told)


@pytest.mark.filterwarnings(r"ignore:\s*.hydra/launcher/")  # as in train.py
@pytest.mark.parametrize(("page", "command"), sorted(set(commands())))
def test_commands_run(page: str, command: str, extended: Path, tmp_path: Path) -> None:
    check(command, extended, tmp_path)


@pytest.mark.parametrize(
    "command",
    [
        "python nothing.py",
        "python train.py model.poool=avg",
        "python train.py seed=0,1",
        "python train.py experiment=winner",
        "python -m benchmarks.speed --nothing",
        "make nothing",
        "pip install -e .[nothing]",
    ],
)
def test_a_command_that_does_not_run_is_noticed(command: str, extended: Path, tmp_path: Path) -> None:
    with pytest.raises((Exception, pytest.fail.Exception)):
        check(command, extended, tmp_path)


@pytest.mark.parametrize("page", TEXTS)
def test_links_and_paths_lead_somewhere(page: str) -> None:
    text = BLOCK.sub("", TEXTS[page])
    links = [target.partition("#")[0] for target in re.findall(r"\]\(([^)]+)\)", text) if "://" not in target]
    assert [target for target in links if target and not (ROOT / page).parent.joinpath(target).exists()] == []
    packages = "conf|docs|examples|tests|benchmarks|reporting|datamodules|lightning_modules|ensembling"
    paths = re.findall(rf"`((?:{packages})/[\w/.-]*)`", text)
    assert [path for path in paths if not (ROOT / path).exists() and path not in examples()] == []


def test_every_page_stands_in_the_index() -> None:
    index = TEXTS["docs/README.md"]
    pages = {page.name for page in (ROOT / "docs").glob("*.md")} - {"README.md"}
    assert [name for name in sorted(pages) if f"]({name})" not in index] == []


def test_the_examples_train_and_predict(extended: Path, tmp_path: Path) -> None:
    """The source, the augmentation and the network that the pages add, together."""
    recordings = sorted(write_word_folder(tmp_path / "data").rglob("*.wav"))
    rows = [(path.relative_to(tmp_path), f"{path.parent.name} {path.stem}") for path in recordings]
    pd.DataFrame(rows, columns=["path", "words"]).to_csv(tmp_path / "recordings.csv", index=False)
    arguments = ["data=listed", "model=recurrent", "augment=loudness", f"data.table={tmp_path / 'recordings.csv'}"]
    arguments += [f"data.cache_dir={tmp_path / 'cache'}", f"run_dir={tmp_path / 'run'}", "name=examples"]
    arguments += ["data.batch_size=4", "data.cache=waveforms", "trainer.accelerator=cpu", "trainer.fast_dev_run=true"]
    cfg = configurations("train.py", arguments, extended)[0]
    assert np.isfinite(train.train(check_settings(Train, cfg), str(tmp_path / "run"), []))

    config = OmegaConf.to_container(cfg, resolve=True)
    parts = {name: config[name] for name in ("features", "optimizer", "schedule")}
    members = [WordClassifier(["a", "b"], {**config["model"], "pool": pool}, **parts) for pool in ("avg", "max")]
    assert not torch.equal(*(Predictor([member], [""])(torch.randn(2, 16_000)) for member in members))
    torch.testing.assert_close(Predictor(members, ["", ""])(torch.randn(2, 16_000)).sum(dim=1), torch.ones(2))
