"""Stacking weights are used for exactly the members that they were fitted to."""

import json
import logging
from pathlib import Path

import pytest

from overlapped_words.errors import RunError
from overlapped_words.inference.checkpoints import find_stacking_weights
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
    stacking = find_stacking_weights(checkpoints(sweep)[::-1])
    assert list(stacking.weights) == ["max_seed0", "avg_seed0"] and stacking.weights == numbers["weights"]
    assert list(stacking.offsets) == WORDS and stacking.offsets == numbers["offsets"] and stacking.floor == 1e-10


def test_members_in_the_working_folder(sweep: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(sweep)
    assert find_stacking_weights(checkpoints(Path())) is not None
    combine(sweep / "max_seed0", combine="stacked")
    monkeypatch.chdir(sweep / "max_seed0")
    alone = find_stacking_weights([Path("checkpoints") / "last.ckpt"])
    assert len(alone.weights) == 1  # an ensemble of one member has a folder, too


def test_other_members_or_checkpoints_use_the_mean(sweep: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert find_stacking_weights(checkpoints(sweep, "best.ckpt")) is None
    assert find_stacking_weights(checkpoints(sweep)[:1]) is None
    assert find_stacking_weights([*checkpoints(sweep), sweep / "max_seed1" / "checkpoints" / "last.ckpt"]) is None
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert f"{sweep / 'ensemble.json'}: its stacking weights belong to other members or older" in caplog.text
    table = sweep / "avg_seed0" / "val_predictions.csv"  # of a member that was trained again
    table.write_text(table.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    assert find_stacking_weights(checkpoints(sweep)) is None


def test_without_stacking_weights_there_is_no_warning(sweep: Path, caplog: pytest.LogCaptureFixture) -> None:
    content = json.loads((sweep / "ensemble.json").read_text(encoding="utf-8"))
    content["stacking"]["used"] = False
    (sweep / "ensemble.json").write_text(json.dumps(content), encoding="utf-8")
    assert find_stacking_weights(checkpoints(sweep)) is None
    combine(sweep)
    assert find_stacking_weights(checkpoints(sweep)) is None
    (sweep / "ensemble.json").unlink()
    assert find_stacking_weights(checkpoints(sweep)) is None
    assert caplog.text == ""


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"stacking": []}, "stacking: Input should be"),
        ({"weights": {"max_seed0": 1}}, "no weight for avg_seed0"),
        ({"floor": 0}, "the floor of stacking is 0, not between 0 and 1"),
    ],
)
def test_a_damaged_file_is_named(sweep: Path, change: dict, message: str) -> None:
    file = sweep / "ensemble.json"
    content = json.loads(file.read_text(encoding="utf-8"))
    content |= change if "stacking" in change else {"stacking": content["stacking"] | change}
    file.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(RunError, match=f"^{file}: {message}.*; run ensemble.py again, or delete the file$"):
        find_stacking_weights(checkpoints(sweep))
