"""ensemble.py: members that cannot be combined, and invalid settings."""

from pathlib import Path

import pytest

from overlapped_words.errors import RunError
from tests.helpers.fake_members import (
    IDS,
    files_in,
    probabilities,
    write_csv,
    write_folds,
    write_member,
    write_sweep,
)
from tests.helpers.scripts import combine


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    return write_sweep(tmp_path / "demo")


def test_the_error_names_every_unusable_member_and_nothing_is_written(sweep):
    write_member(sweep, "max", 2, status="running")
    (sweep / "avg_seed1" / "predictions.csv").unlink()
    write_csv(sweep / "max_seed0" / "predictions.csv", IDS[:2], probabilities(0, 2))
    with pytest.raises(RunError) as error:
        combine(sweep)
    first, *reasons, remedy = str(error.value).splitlines()
    assert first == f"{sweep}: 2 of 5 members can be used"
    assert len(reasons) == 3
    for name, reason in {
        "max_seed2": "not complete",
        "avg_seed1": "different tables (predictions.csv is missing) than avg_seed0",
        "max_seed0": "predictions.csv has different ids (missing 0002; unknown none) than avg_seed0",
    }.items():
        assert any(line.startswith(f"  {sweep / name}: ") and reason in line for line in reasons)
    assert "partial=true to combine the 2" in remedy
    assert files_in(sweep) == set()


def test_no_usable_member(tmp_path):
    write_member(tmp_path, "avg", 0, status="waiting", val=False, test=False)
    with pytest.raises(RunError, match=r"0 of 1 member can be used\n.*avg_seed0: its sweep ended before it started"):
        combine(tmp_path)
    write_member(tmp_path, "avg", 1, status="running")
    with pytest.raises(RunError, match=r"0 of 1 member can be used\n.*avg_seed1: not complete"):
        combine(tmp_path, partial=True)


def test_unexpected_number_of_members(sweep):
    write_member(sweep, "avg", 2)
    with pytest.raises(RunError, match=r"expect=6, but there are 5 members: avg_seed0, .*, max_seed1\n"):
        combine(sweep, expect=6)
    assert files_in(sweep) == set()
    combine(sweep, expect=5)


def test_members_with_and_without_a_fold_are_an_error_and_nothing_is_written(tmp_path):
    write_folds(tmp_path)
    write_member(tmp_path, "avg", 3)
    for partial in (False, True):
        with pytest.raises(RunError, match="avg_seed3 trained without "):
            combine(tmp_path, partial=partial)
    assert files_in(tmp_path) == set()


def test_stacking_with_too_few_clips_is_an_error_and_nothing_is_written(sweep):
    with pytest.raises(RunError, match=f"^{sweep}: combine=stacked needs at least 5 validation clips"):
        combine(sweep, combine="stacked")
    assert files_in(sweep) == set()
