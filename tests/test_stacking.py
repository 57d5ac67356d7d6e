"""Stacking weights are optimal on the validation clips, and used for exactly the members that they were fitted to."""

import json
import logging
import shutil
from pathlib import Path

import numpy as np
import pytest

from lightning_modules.metrics.kl import kl
from overlapped_words.ensembling.combine import Tables, combine, gather, member_probs
from overlapped_words.ensembling.ensemble_file import StackingWeights
from overlapped_words.ensembling.stacking import fit, fit_stacking, pool
from overlapped_words.errors import RunError
from overlapped_words.inference.checkpoints import find_fitted
from overlapped_words.runs.members import find_members
from tests.helpers import scripts
from tests.helpers.fake_members import IDS, WORDS, fold_ids, probabilities, write_csv, write_folds, write_unequal


def stacking_of(sweep) -> tuple[StackingWeights, Tables]:
    members = find_members(sweep)
    tables, _ = gather(members)
    return fit_stacking(members, tables, combine(members, tables))


def probs_and_targets(num_members: int, num_clips: int) -> tuple[np.ndarray, np.ndarray]:
    probs = np.stack([probabilities(seed, num_clips, 5) for seed in range(num_members)])
    return probs, probabilities(99, num_clips, 5)


def test_fit_recovers_the_weights_of_a_geometric_mean_and_offsets():
    probs = probs_and_targets(3, 4)[0]
    mean = probs.prod(axis=0) ** (1 / 3)
    np.testing.assert_allclose(pool(probs, np.full(3, 1 / 3), np.zeros(5)), mean / mean.sum(axis=1, keepdims=True))
    np.testing.assert_allclose(pool(np.array([[[0.5, 0.25, 0.25]]]), np.ones(1), np.log([1, 2, 1])), [[0.4, 0.4, 0.2]])
    probs = probs_and_targets(3, 4000)[0]
    weights, offsets = np.array([1.2, 0, 0.4]), np.array([0.5, -0.5, 0.25, -0.25, 0])
    found = fit(probs, pool(probs, weights, offsets))
    np.testing.assert_allclose(found[0], weights, atol=0.02)
    np.testing.assert_allclose(found[1], offsets, atol=0.02)
    targets = np.eye(5)[np.random.default_rng(0).integers(0, 5, 50)]
    probs = np.stack([np.roll(targets, 1, axis=1), 0.5 * targets + 0.1])
    assert kl(targets, pool(probs, *fit(probs, targets))).mean() < 0.1


def test_unequal_members_beat_their_mean_and_a_clip_is_predicted_by_weights_fitted_without_it(tmp_path):
    test_probs = write_unequal(tmp_path)
    stacking, stacked = stacking_of(tmp_path)
    assert stacking.better_than_mean and stacking.val_kl < 0.8 * stacking.mean_kl
    assert list(stacking.weights) == ["avg_seed0", "max_seed0"] and list(stacking.offsets) == WORDS
    assert abs(stacking.weights["max_seed0"]) < 0.3 < stacking.weights["avg_seed0"]
    tables = gather(find_members(tmp_path))[0]["avg_seed0"]
    assert stacking.val_kl < kl(tables["val_answers"].to_numpy(), tables["val_predictions"].to_numpy()).mean()
    weights, offsets = (np.array([*values.values()]) for values in (stacking.weights, stacking.offsets))
    by_hand = pool(np.stack(list(test_probs.values())), weights, offsets)
    np.testing.assert_allclose(stacked["predictions"].to_numpy(), by_hand, rtol=1e-6)
    for name, probs in test_probs.items():  # a submission whose sample has another order of columns
        write_csv(tmp_path / name / "predictions.csv", IDS, probs[:, ::-1], WORDS[::-1])
    np.testing.assert_allclose(stacking_of(tmp_path)[1]["predictions"][WORDS].to_numpy(), by_hand, rtol=1e-6)
    for folder in tmp_path.iterdir():
        lines = (folder / "val_answers.csv").read_text(encoding="utf-8").splitlines()
        lines[18] = "v17," + ("1.0,0,0,0" if lines[18].split(",")[1] == "0.0" else "0,0,0,1.0")
        (folder / "val_answers.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    before, after = stacked["val_predictions"], stacking_of(tmp_path)[1]["val_predictions"]
    same = np.isclose(after, before, rtol=0, atol=1e-12).all(axis=1)
    assert same[17] and not same.all()


def write_long_folds(sweep) -> None:
    """`write_folds` with six clips per fold; avg is informative, max is noise."""
    write_folds(sweep)
    rng = np.random.default_rng(1)
    for fold in range(2):
        ids = [f"{name} {i}" for name in fold_ids(fold) for i in range(3)]
        targets = np.eye(len(WORDS))[rng.integers(0, len(WORDS), 6)]
        noise = rng.dirichlet(np.ones(len(WORDS)), 6)
        for pool_, rows in (("avg", 0.6 * targets + 0.1), ("max", noise)):
            folder = sweep / f"{pool_}_seed0_fold{fold}"
            write_csv(folder / "val_predictions.csv", ids, rows)
            write_csv(folder / "val_answers.csv", ids, targets)


def test_members_that_differ_only_in_their_fold_share_a_weight(tmp_path):
    write_long_folds(tmp_path)
    stacking, stacked = stacking_of(tmp_path)
    assert list(stacking.weights) == ["avg_seed0_fold0", "avg_seed0_fold1", "max_seed0_fold0", "max_seed0_fold1"]
    members = find_members(tmp_path)
    probs = member_probs(members, gather(members)[0], "val_predictions")
    weights, offsets = fit(probs, stacked["val_answers"].to_numpy())
    assert list(stacking.weights.values()) == pytest.approx(np.repeat(weights / 2, 2))
    assert list(stacking.offsets.values()) == pytest.approx(offsets)


def test_too_few_validation_clips_and_a_member_missing_in_a_fold_are_errors(tmp_path):
    write_unequal(tmp_path / "few", num_clips=4)
    with pytest.raises(RunError, match=f"^{tmp_path}/few: combine=stacked needs at least 5 validation clips"):
        stacking_of(tmp_path / "few")
    write_long_folds(tmp_path / "folds")
    shutil.rmtree(tmp_path / "folds" / "max_seed0_fold1")
    with pytest.raises(RunError, match="not every fold has the same members; train"):
        stacking_of(tmp_path / "folds")


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    """Two members with stacking weights and without checkpoints, which are not needed here."""
    write_unequal(tmp_path)
    scripts.combine(tmp_path, combine="stacked")
    return tmp_path


def checkpoints(sweep: Path, name: str = "last.ckpt") -> list[Path]:
    return [sweep / member / "checkpoints" / name for member in ("avg_seed0", "max_seed0")]


def test_weights_are_those_of_the_file_in_the_order_of_the_checkpoints(sweep: Path, monkeypatch) -> None:
    numbers = json.loads((sweep / "ensemble.json").read_text(encoding="utf-8"))["stacking"]
    stacking = find_fitted(checkpoints(sweep)[::-1])[0]
    assert list(stacking.weights) == ["max_seed0", "avg_seed0"] and stacking.weights == numbers["weights"]
    assert list(stacking.offsets) == WORDS and stacking.offsets == numbers["offsets"] and stacking.floor == 1e-10
    monkeypatch.chdir(sweep)
    assert find_fitted(checkpoints(Path()))[0] is not None
    scripts.combine(sweep / "max_seed0", combine="stacked")
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


def test_without_stacking_weights_there_is_no_warning_but_a_missing_one_is_named(sweep: Path, caplog) -> None:
    file = sweep / "ensemble.json"
    before = file.read_text(encoding="utf-8")
    file.write_text(before.replace('"used": true', '"used": false'), encoding="utf-8")
    assert find_fitted(checkpoints(sweep))[0] is None
    scripts.combine(sweep)
    assert find_fitted(checkpoints(sweep))[0] is None
    file.unlink()
    assert find_fitted(checkpoints(sweep))[0] is None and caplog.text == ""
    content = json.loads(before)
    del content["stacking"]["weights"]["avg_seed0"]
    file.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(RunError, match=f"^{file}: no weight for avg_seed0; run ensemble.py again, or delete the file$"):
        find_fitted(checkpoints(sweep))
