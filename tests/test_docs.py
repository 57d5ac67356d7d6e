"""Every command in README, CONTRIBUTING and docs/ runs as written, in a copy of the project; paths lead somewhere.

The commands run in the order of a reader, in one folder: later ones need what earlier ones wrote. They are made short,
with two seeds, folds or shards in a sweep, see `tests/helpers/project.py`.
"""

import re
import shlex

import pytest

from tests.helpers.pages import BLOCK, ORDER, TEXTS, commands, files
from tests.helpers.project import Project
from tests.helpers.runtime import needs, needs_runtime
from tests.helpers.scripts import ROOT, run


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return Project(tmp_path_factory.mktemp("docs"))


def marks(command: str) -> list[pytest.MarkDecorator]:
    if command.startswith(("pip ", "git clone ")):
        return [pytest.mark.network]
    if command == "pytest -m gpu":
        return [pytest.mark.gpu]
    # tests/test_onnx_export.py and tests/test_sweep.py have what the last two do.
    if re.search(r"-m (benchmarks\.(busy|speed|gpu|start)|pytest)|output=words\.onnx|devices=2", command):
        return [pytest.mark.slow]
    if "format=web" in command or "http.server" in command:
        return [needs_runtime]
    for package in ("wandb", "mlflow", "optuna"):
        if f"={package}" in command or command.startswith(f"{package} "):
            return [needs(package)]
    if "launcher=ray" in command:
        return [pytest.mark.ray]
    return [pytest.mark.slurm] if "launcher=submitit_slurm" in command else []


@pytest.mark.parametrize(
    "command", [pytest.param(command, marks=marks(command), id=f"{page}: {command}") for page, command in commands()]
)
def test_a_command_runs_as_written(project: Project, command: str) -> None:
    project.execute(command)


def test_tab_completion_of_groups(project: Project) -> None:
    asked = {**project.environment, "COMP_LINE": "python train.py experiment=", "COMP_POINT": "27"}
    printed = run("train.py", "-sc", "query=bash", cwd=project.root, root=project.root, environment=asked)
    assert {"experiment=winner", "experiment=best"} <= set(printed.split())


def test_pyproject_lists_what_the_docs_install_and_the_index_every_page() -> None:
    pyproject = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for words in (shlex.split(command) for _, command in commands() if command.startswith("pip install ")):
        for extra in re.findall(r"\[(\w+)\]", " ".join(words)):
            assert f"\n{extra} = [" in pyproject
        packages = [word for word in words[2:] if re.fullmatch(r"[\w-]+([<>=].*)?", word) and not word.startswith("-")]
        assert [name for name in packages if f'"{re.split("[<>=]", name)[0]}>=' not in pyproject] == []
    assert {f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")} <= set(ORDER)


@pytest.mark.parametrize("page", TEXTS)
def test_paths_exist(page: str) -> None:
    folders = "|".join(path.name for path in ROOT.iterdir() if path.is_dir() and path.name != "outputs")
    paths = re.findall(rf"`((?:{folders})/[\w/.-]*)`(?! of commit)", BLOCK.sub("", TEXTS[page]))
    assert [path for path in paths if not (ROOT / path).exists() and path not in dict(files())] == []
