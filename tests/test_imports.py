"""Imports point down from layer to layer, as CONTRIBUTING.md states, and commands import only what they need."""

import ast
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import numpy as np
import pytest

from tests.helpers.fake_members import write_unequal
from tests.helpers.fake_recordings import speech, write
from tests.helpers.networks import write_network
from tests.helpers.scripts import ROOT, imported

# From top to bottom. A package imports itself and packages of lower layers, not its neighbors.
SCRIPTS = ["train", "predict", "ensemble", "export", "app"]
LAYERS = [
    SCRIPTS,
    ["overlapped_words.cli", "overlapped_words.__main__"],
    ["overlapped_words.app", "overlapped_words.report", "overlapped_words.export", "overlapped_words.training"],
    ["overlapped_words.inference"],
    ["overlapped_words.ensembling"],
    ["lightning_modules"],
    ["overlapped_words.runs"],
    ["datamodules"],
    ["overlapped_words.settings"],
    ["overlapped_words"],
]
LAYER_OF = {name: number for number, layer in enumerate(LAYERS) for name in layer}
PACKAGES = ("datamodules", "lightning_modules", "overlapped_words")
FILES = sorted(
    [*(ROOT / f"{name}.py" for name in SCRIPTS), *(p for name in PACKAGES for p in ROOT.glob(f"{name}/**/*.py"))]
)
MODULES = {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in FILES}


@cache
def imports(module: str) -> set[str]:
    """The project's modules that a module imports anywhere, in functions and for type checkers, too."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: a relative import; write the package's name"
            # `from package import name` imports a module or a name in a module.
            inside = {f"{node.module}.{alias.name}" for alias in node.names}
            names |= {name if name in MODULES else node.module for name in inside}
    return names & MODULES.keys()


def layer(module: str) -> str:
    return max((name for name in LAYER_OF if f"{module}.".startswith(f"{name}.")), key=len)


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_down(module: str) -> None:
    own = layer(module)
    # The face of the package imports what it shows when that is used.
    upward = sorted(name for name in imports(module) if layer(name) != own and LAYER_OF[layer(name)] <= LAYER_OF[own])
    assert not upward or module == "overlapped_words", f"{module} imports {', '.join(upward)}"


def test_no_modules_import_each_other_in_a_cycle() -> None:
    graph = {module: imports(module) - {module} for module in MODULES}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


TRAINING = {"lightning", "pytorch_lightning", "lightning_fabric", "torchmetrics", "tensorboard"}
REPORTS = {"plotly", "gradio", "onnx", "matplotlib"}


def test_a_command_imports_only_what_it_needs(tmp_path: Path) -> None:
    checkpoint = write_network(tmp_path / "networks", "avg", 0) / "checkpoints" / "last.ckpt"
    clip = write(tmp_path / "clip.wav", np.tile(speech(0), 2))
    write_unequal(tmp_path / "sweep")
    api = tmp_path / "api.py"
    api.write_text("import sys\nfrom overlapped_words import load\nload(sys.argv[1], 'cpu').timeline(sys.argv[2])\n")
    for line, needed, unneeded in (
        ("predict.py ckpt_path={checkpoint} input={clip} device=cpu", {"torch"}, TRAINING | REPORTS | {"pandas"}),
        ("{api} {checkpoint} {clip}", {"torch"}, TRAINING | REPORTS | {"hydra", "omegaconf", "pydantic"}),
        ("ensemble.py run_dir={sweep} combine=stacked", {"plotly"}, {"torch", "lightning", "datamodules"}),
        ("ensemble.py --help", {"hydra"}, {"torch", "pandas"}),
    ):
        used = imported(*line.format(api=api, checkpoint=checkpoint, clip=clip, sweep=tmp_path / "sweep").split())
        assert needed <= used and not used & unneeded
