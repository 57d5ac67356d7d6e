"""Imports point down from layer to layer, as CONTRIBUTING.md states, and no modules import each other in a cycle."""

import ast
from functools import cache
from graphlib import CycleError, TopologicalSorter

import pytest

from tests.helpers.scripts import ROOT

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
            names |= {
                name if (name := f"{node.module}.{alias.name}") in MODULES else node.module for alias in node.names
            }
    return names & MODULES.keys()


def layer(module: str) -> str:
    """The longest name of a layer that a module belongs to."""
    return max((name for name in LAYER_OF if f"{module}.".startswith(f"{name}.")), key=len)


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_down(module: str) -> None:
    own = layer(module)
    # The face of the package imports what it shows when that is used.
    upward = sorted(name for name in imports(module) if layer(name) != own and LAYER_OF[layer(name)] <= LAYER_OF[own])
    assert not upward or module == "overlapped_words", (
        f"{MODULES[module].relative_to(ROOT)} imports {', '.join(upward)}"
    )


def test_no_modules_import_each_other_in_a_cycle() -> None:
    graph = {module: imports(module) - {module} for module in MODULES}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))
