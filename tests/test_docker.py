"""The Docker image contains what predict.py and app.py need, and nothing else."""

import shutil
from pathlib import Path

import pytest

from tests.helpers.scripts import ENVIRONMENT, ROOT, run


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the files that .dockerignore admits: those named after an exclamation mark."""
    app = tmp_path_factory.mktemp("image") / "app"
    app.mkdir()
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    assert lines[1] == "*"
    for pattern in (line[1:] for line in lines if line.startswith("!")):
        paths = list(ROOT.glob(pattern))
        assert paths, pattern
        for path in paths:
            if path.is_dir():
                shutil.copytree(path, app / path.name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(path, app)
    return app


def test_the_image_predicts_a_recording(image: Path, tmp_path: Path) -> None:
    shutil.copy(ROOT / "examples/two_words.flac", tmp_path)
    environment = {**ENVIRONMENT, "PYTHONPATH": str(image)}
    printed = run("predict.py", "input=two_words.flac", cwd=tmp_path, root=image, environment=environment)
    assert "most likely: left, dog" in printed


def test_the_image_has_the_modules_of_the_page(image: Path) -> None:
    script = str(ROOT / "tests/helpers/page_modules.py")
    environment = {**ENVIRONMENT, "PYTHONPATH": str(image)}
    printed = run(script, cwd=image.parent, root=image, environment=environment)
    assert printed.split() == [
        str(image / name)
        for name in (
            "overlapped_words/app/server.py",
            "overlapped_words/inference/model.py",
            "overlapped_words/app/page.py",
        )
    ]


def test_the_image_runs_as_a_user() -> None:
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    assert lines.index("USER user") < lines.index('ENTRYPOINT ["python"]')
