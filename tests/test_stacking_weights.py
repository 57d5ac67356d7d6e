"""Stacking weights are used for exactly the members that they were fitted to."""

import json
import logging
from pathlib import Path

import pytest

from overlapped_words.errors import RunError
from overlapped_words.inference.checkpoints import find_fitted
from tests.helpers.fake_members import WORDS, write_unequal
from tests.helpers.scripts import combine


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    """Two members with stacking weights and without checkpoints, which are not needed here."""
    write_unequal(tmp_path)
    combine(tmp_path, combine="stacked")
    return tmp_path


def checkpoints(sweep: Path, name: str = "last.ckpt") -> list[Path]:
    return [sweep / member / "checkpoints" / name for member in ("avg_seed0", "max_seed0")]


def test_weights_are_those_of_the_file_in_the_order_of_the_checkpoints(sweep: Path) -> None:
    numbers = json.loads((sweep / "ensemble.json").read_text(encoding="utf-8"))["stacking"]
    stacking = find_fitted(checkpoints(sweep)[::-1])[0]
    assert list(stacking.weights) == ["max_seed0", "avg_seed0"] and stacking.weights == numbers["weights"]
    assert list(stacking.offsets) == WORDS and stacking.offsets == numbers["offsets"] and stacking.floor == 1e-10


def test_members_in_the_working_folder(sweep: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(sweep)
    assert find_fitted(checkpoints(Path()))[0] is not None
    combine(sweep / "max_seed0", combine="stacked")
    monkeypatch.chdir(sweep / "max_seed0")
    alone = find_fitted([Path("checkpoints") / "last.ckpt"])[0]
    assert len(alone.weights) == 1  # an ensemble of one member has a folder, too


def test_other_members_checkpoints_or_training_runs_use_the_mean(sweep: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert find_fitted(checkpoints(sweep, "best.ckpt"))[0] is None
    assert find_fitted(checkpoints(sweep)[:1])[0] is None and caplog.text == ""
    assert find_fitted([*checkpoints(sweep), sweep / "max_seed1" / "checkpoints" / "last.ckpt"])[0] is None
    table = sweep / "avg_seed0" / "val_predictions.csv"
    table.write_text(table.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    assert find_fitted(checkpoints(sweep))[0] is None
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 2
    assert f"{sweep / 'ensemble.json'}: belongs to other members or older training runs; using the mean" in caplog.text


def test_without_stacking_weights_there_is_no_warning(sweep: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = sweep / "ensemble.json"
    file.write_text(file.read_text(encoding="utf-8").replace('"used": true', '"used": false'), encoding="utf-8")
    assert find_fitted(checkpoints(sweep))[0] is None
    combine(sweep)
    assert find_fitted(checkpoints(sweep))[0] is None
    file.unlink()
    assert find_fitted(checkpoints(sweep))[0] is None and caplog.text == ""


def test_a_member_without_a_weight_is_named(sweep: Path) -> None:
    file = sweep / "ensemble.json"
    content = json.loads(file.read_text(encoding="utf-8"))
    del content["stacking"]["weights"]["avg_seed0"]
    file.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(RunError, match=f"^{file}: no weight for avg_seed0; run ensemble.py again, or delete the file$"):
        find_fitted(checkpoints(sweep))
