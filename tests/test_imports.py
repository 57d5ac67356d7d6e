"""Imports point down from layer to layer, as CONTRIBUTING.md states, and no modules import each other in a cycle."""

import ast
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.helpers.scripts import ROOT

# From top to bottom. A package imports itself and packages of lower layers, not its neighbors.
LAYERS = [
    ["train", "predict", "ensemble", "export", "app", "overlapped_words"],
    ["training", "reporting"],
    ["inference"],
    ["lightning_modules", "ensembling"],
    ["runs"],
    ["datamodules", "settings"],
    ["cli"],
    ["allocator", "errors", "messages", "pretrained"],
]
LAYER_OF = {name: number for number, layer in enumerate(LAYERS) for name in layer}
FILES = sorted(path for name in LAYER_OF for path in (*ROOT.glob(f"{name}.py"), *ROOT.glob(f"{name}/**/*.py")))
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
            # `from runs import sweep` imports a module, `from runs.sweep import Sweep` a name in a module.
            names |= {
                name if (name := f"{node.module}.{alias.name}") in MODULES else node.module for alias in node.names
            }
    return names & MODULES.keys()


def test_every_package_has_a_layer() -> None:
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests", "benchmarks"}
    assert packages | {path.stem for path in ROOT.glob("*.py")} == LAYER_OF.keys()


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_down(module: str) -> None:
    package = module.partition(".")[0]
    others = {name.partition(".")[0] for name in imports(module)} - {package}
    upward = sorted(name for name in others if LAYER_OF[name] <= LAYER_OF[package])
    assert not upward, f"{MODULES[module].relative_to(ROOT)} imports from {', '.join(upward)}"


def test_no_modules_import_each_other_in_a_cycle() -> None:
    graph = {module: imports(module) - {module} for module in MODULES}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_contributing_states_the_layers() -> None:
    text = Path(ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    stated = [line.split(":")[0].removeprefix("- ") for line in text.splitlines() if line.startswith("- `")]
    layers = [
        ", ".join(f"`{name}/`" if (ROOT / name).is_dir() else f"`{name}.py`" for name in layer) for layer in LAYERS
    ]
    assert [line for line in stated if line in layers] == layers
