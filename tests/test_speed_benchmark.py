"""The speed benchmark: its table, and one call of each step of the default recipe."""

from pathlib import Path

import pandas as pd
import pytest

from benchmarks import default
from benchmarks.speed import COLUMNS, write


def test_rows_not_measured_are_kept_in_order(tmp_path: Path) -> None:
    path = tmp_path / "speed.csv"
    write(pd.DataFrame([["features", 2, 1, 2, 2, 2], ["caching", 4, 1, 4, 4, 4]], columns=COLUMNS), path)
    write(pd.DataFrame([["training, avg", 3, 1, 3, 3, 3], ["features", 5, 1, 5, 5, 5]], columns=COLUMNS), path)
    table = pd.read_csv(path)
    assert table["row"].tolist() == ["features", "training, avg", "caching"]
    assert table["ratio"].tolist() == [5, 3, 4]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("speed")


@pytest.mark.parametrize("step", [default.mixing, default.features, default.muon])
def test_a_step_of_the_default_recipe_processes_a_batch(step, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(default, "rate", lambda work: work())
    assert step(root) == default.recipe(root).data.batch_size
