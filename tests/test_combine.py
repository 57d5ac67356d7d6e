"""Which members are combined, and their average."""

import numpy as np
import pandas as pd
import pytest

from overlapped_words.ensembling.combine import average, combine, gather
from overlapped_words.errors import RunError
from overlapped_words.runs.members import find_members
from tests.helpers import fake_members as fake


def table(values, ids=("y", "x"), columns=("b", "a")) -> pd.DataFrame:
    return pd.DataFrame(values, index=pd.Index(ids, name="id"), columns=list(columns))


def test_the_average_of_rounded_tables_sums_to_one():
    mean = average([table([[0.2, 0.8], [0.5, 0.5]]), table([[0.6003, 0.4], [1, 0]])])
    assert mean.index.tolist() == ["y", "x"] and mean.columns.tolist() == ["b", "a"] and mean.index.name == "id"
    assert mean.to_numpy() == pytest.approx(np.array([[0.4, 0.6], [0.75, 0.25]]), abs=1e-3)
    assert np.abs(mean.to_numpy().sum(axis=1) - 1).max() < 1e-12


def errors_of(sweep) -> dict[str, str]:
    tables, errors = gather(find_members(sweep))
    assert tables.keys() | errors.keys() == {member.name for member in find_members(sweep)}
    assert not tables.keys() & errors.keys()
    return errors


def test_every_kind_of_error_at_once(tmp_path):
    for seed in range(7):
        fake.write_member(tmp_path, "avg", seed, val=seed != 3, test=seed != 4)
    (tmp_path / "avg_seed1" / "predictions.csv").write_text("id,a\nx,0.5\n")
    fake.write_csv(tmp_path / "avg_seed2" / "val_answers.csv", fake.VAL_IDS, [fake.VAL_ANSWERS[0], fake.VAL_ANSWERS[0]])
    fake.write_member(tmp_path, "avg", 7, status="running")
    errors = errors_of(tmp_path)
    assert sorted(errors) == [f"avg_seed{seed}" for seed in (1, 2, 3, 4, 7)]
    assert "the row x does not sum to 1" in errors["avg_seed1"]
    assert "val_answers.csv has different targets (the first: v1) than avg_seed0" in errors["avg_seed2"]
    assert "different tables (val_predictions.csv is missing) than avg_seed0" in errors["avg_seed3"]
    assert "different tables (predictions.csv is missing) than avg_seed0" in errors["avg_seed4"]
    assert "not complete" in errors["avg_seed7"]


def test_members_that_predict_other_recordings_are_named(tmp_path):
    """Their ids and targets are equal, but recordings were added or replaced in between."""
    for seed, test in enumerate("aaab"):
        fake.write_member(tmp_path, "avg", seed, fingerprints={"train": str(seed), "val": "v", "test": test})
    for seed, val in ((4, "v"), (5, "w")):
        fake.write_member(tmp_path, "avg", seed, fingerprints={"val": val})
    fake.write_member(tmp_path, "avg", 6)  # of an earlier version
    errors = errors_of(tmp_path)
    assert list(errors) == ["avg_seed3", "avg_seed5"]
    assert all("predicts other recordings than avg_seed0; train" in text for text in errors.values())


def test_out_of_fold_predictions_come_from_the_members_of_the_fold(tmp_path):
    expected = fake.write_folds(tmp_path)
    members = find_members(tmp_path)
    tables, errors = gather(members)
    assert errors == {}
    for order in (members, members[::-1]):
        combined = combine(order, tables)
        assert combined["val_predictions"].index.tolist() == fake.fold_ids(0) + fake.fold_ids(1)
        assert combined["val_predictions"].to_numpy().tolist() == expected
        assert combined["val_answers"].index.tolist() == fake.fold_ids(0) + fake.fold_ids(1)
        assert combined["val_answers"].to_numpy().tolist() == fake.FOLD_ANSWERS
        assert combined["val_predictions"].index.name == combined["val_answers"].index.name == "file name"
        every_member = [fake.probabilities(key, 3) for key in (0, 10, 1000, 1010)]
        np.testing.assert_allclose(combined["predictions"], np.mean(every_member, axis=0))


def test_members_of_a_fold_agree_in_its_clips_and_all_members_in_everything_else(tmp_path):
    for seed in range(3):
        for fold in range(2):
            fake.write_member(tmp_path, "avg", seed, fold=fold)
    odd = {name: tmp_path / f"avg_seed{name}" for name in ("1_fold0", "1_fold1", "2_fold1")}
    fake.write_csv(odd["1_fold0"] / "val_answers.csv", fake.fold_ids(0), fake.VAL_ANSWERS[::-1])
    fake.write_csv(odd["1_fold1"] / "predictions.csv", fake.IDS[::-1], fake.probabilities(0, 3))
    for name in ("val_predictions.csv", "val_answers.csv"):
        fake.write_csv(odd["2_fold1"] / name, fake.fold_ids(1), fake.VAL_ANSWERS, words=fake.WORDS[::-1])
    errors = errors_of(tmp_path)
    assert sorted(errors) == [folder.name for folder in odd.values()]
    assert "val_answers.csv has different targets (the first: v2 of fold 0) than avg_" in errors["avg_seed1_fold0"]
    assert "predictions.csv has ids in a different order than" in errors["avg_seed1_fold1"]
    assert "val_predictions.csv has columns in a different order than" in errors["avg_seed2_fold1"]


def test_folds_that_share_a_clip_are_an_error(tmp_path):
    fake.write_folds(tmp_path)
    for table in tmp_path.glob("*_fold1/val_*.csv"):
        fake.write_csv(table, [fake.fold_ids(1)[0], fake.fold_ids(0)[1]], fake.VAL_ANSWERS)
    members = find_members(tmp_path)
    with pytest.raises(RunError, match=f"^{tmp_path}: the validation clip v1 of fold 0 is in two folds"):
        combine(members, gather(members)[0])
