"""Cross-validation: folds cover all clips, and every clip is predicted by members that did not train on it."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from datamodules.clips import Clips, Splits
from datamodules.sources import CompetitionFolder, WordFolder
from datamodules.speakers import split_speakers
from lightning_modules.metrics.kl import kl
from overlapped_words.errors import DataError
from tests.helpers.fake_recordings import SPEAKERS
from tests.helpers.scripts import run
from tests.helpers.small_runs import TINY, WORDS, data, write_data

SIZES = {"train_size": 20, "val_size": 10, "test_size": 10}


@pytest.mark.parametrize("val_fraction", [0.5, 0.4, 0.3, 0.15])
def test_folds_contain_every_training_clip_once(competition, cache_dir, val_fraction):
    all_ids = sorted(path.stem for path in (competition / "train").iterdir())
    folds = []
    for fold in range(round(1 / val_fraction)):
        splits = CompetitionFolder(competition, val_fraction, fold=fold).load(cache_dir, 0)
        assert sorted(splits.train.ids + splits.val.ids) == all_ids
        assert splits.test.ids == [f"test_{i:03d}" for i in range(4)]
        folds.append(splits.val.ids)
    assert sorted(name for fold in folds for name in fold) == all_ids
    assert max(map(len, folds)) - min(map(len, folds)) <= 1


def speakers_of(words: Path, cache_dir: Path, rows, **options) -> tuple[Splits, list[set[str]]]:
    """The splits of a word folder, and the speakers of each split."""
    paths = [path for word in sorted(words.iterdir()) for path in sorted(word.iterdir())]
    rows.clear()
    splits = WordFolder(words, k=2, **SIZES, **options).load(cache_dir, 0)
    return splits, [{paths[row].name.split("_")[0] for row in np.concatenate(split)} for split in rows]


@pytest.mark.parametrize("shares", [(0.4, 0.2), (0.3, 0.4), (0.2, 0.2)])
def test_every_speaker_outside_the_test_split_is_in_one_fold(words, cache_dir, rows, shares):
    shares = dict(zip(("val_fraction", "test_fraction"), shares, strict=True))
    plain, (_, _, test_speakers) = speakers_of(words, cache_dir, rows, **shares)
    folds, ids = [], []
    for fold in range(round(1 / shares["val_fraction"])):
        splits, (train, val, test) = speakers_of(words, cache_dir, rows, **shares, fold=fold)
        assert test == test_speakers and train | val == set(SPEAKERS) - test and not train & val
        assert splits.test.key == plain.test.key and splits.test.ids == plain.test.ids
        assert splits.val.ids == [f"fold{fold}_val_{i:05d}" for i in range(10)]
        folds += sorted(val)
        ids += splits.val.ids
    assert sorted(folds) == sorted(set(SPEAKERS) - test_speakers) and len(set(ids)) == len(ids)


def test_folds_of_a_word_by_few_speakers_have_the_same_test_speakers():
    speakers = np.array([f"s{i:02}" for i in range(20)] + [f"s{i:02}" for i in range(8)])
    labels = np.repeat([0, 3], [20, 8])
    for seed in range(10):
        shares = {"val": 0.2, "test": 0.1}
        splits = [split_speakers(speakers, labels, shares, fold, seed) for fold in range(5)]
        assert len({tuple(speakers[split == "test"]) for split in splits}) == 1
        validated = sorted(name for split in splits for name in set(speakers[split == "val"]))
        assert validated == sorted(set(speakers) - set(speakers[splits[0] == "test"]))
        assert all(set(labels[split == name]) == {0, 3} for split in splits for name in ("train", "val", "test"))


def test_folds_have_different_mixtures(words, cache_dir):
    def val(**options) -> Clips:
        return WordFolder(words, k=2, **SIZES, val_fraction=0.2, **options).load(cache_dir, 0).val

    clips = [val(), *(val(fold=fold) for fold in range(5))]
    assert len({part.key for part in clips}) == 6
    assert len({part.targets.tobytes() for part in clips[1:]}) == 5  # different words, not only different speakers
    assert val(fold=3).key == clips[4].key


def test_plain_splits_do_not_change_between_versions(competition, words, cache_dir, rows):
    splits = CompetitionFolder(competition, val_fraction=0.3).load(cache_dir, 0)
    assert splits.val.ids == ["train_002", "train_004", "train_007", "train_009"]
    splits, speakers = speakers_of(words, cache_dir, rows, val_fraction=0.3, test_fraction=0.2)
    assert speakers == [{"ann", "bob", "eve"}, {"cleo", "dan"}, {"finn"}]
    assert splits.val.ids[:2] == ["val_00000", "val_00001"]
    assert [np.flatnonzero(row).tolist() for row in splits.val.targets[:5]] == [[1, 2], [0, 3], [2, 3], [0, 3], [1, 2]]


@pytest.mark.parametrize("kind", [CompetitionFolder, WordFolder])
def test_invalid_folds_and_fractions(competition, words, cache_dir, kind):
    root, sizes = (competition, {}) if kind is CompetitionFolder else (words, {"k": 2, **SIZES})
    for val_fraction, fold, message in (
        (0.2, 5, r"^data\.fold is 5, but data\.val_fraction=0\.2 makes 5 folds of"),
        (0, 0, r"^data\.fold is 0, but data\.val_fraction=0 makes 0 folds of"),
        (0.7, 0, r"val_fraction=0\.7 makes 1 folds of"),
        (0.01, 0, r"val_fraction=0\.01 makes 100 folds of \d+ (train|speak)"),
    ):
        with pytest.raises(DataError, match=message):
            kind(root, **sizes, val_fraction=val_fraction, fold=fold).load(cache_dir, 0)
        assert not cache_dir.exists()  # the error comes before the recordings are read


def test_a_sweep_over_folds_predicts_every_training_clip(tmp_path):
    """Through the command line: two folds and their ensemble."""
    write_data(tmp_path / "Data")
    command = [*TINY, *data(tmp_path), "data.val_fraction=0.5", "model.output=set", "augment.mixup=null"]
    run("train.py", "-m", *command, "data.fold=range(2)", cwd=tmp_path)
    run("ensemble.py", "run_dir=outputs/smoke", "expect=2", cwd=tmp_path)
    sweep = tmp_path / "outputs" / "smoke"

    def table(path: Path) -> pd.DataFrame:
        return pd.read_csv(path, index_col="id")[WORDS]

    training_kl = pd.read_csv(sweep / "avg_seed0_fold0" / "metrics.csv")["train/kl"]
    assert training_kl.between(0.01, 2 * np.log(3)).all()  # beside train/loss, which has another unit
    own = [table(sweep / f"avg_seed0_fold{fold}" / "val_predictions.csv") for fold in range(2)]
    out_of_fold, known = (table(sweep / f"ensemble_val_{name}.csv") for name in ("predictions", "answers"))
    pd.testing.assert_frame_equal(out_of_fold, pd.concat(own), rtol=1e-6)  # rows are scaled to sum to 1
    targets = table(tmp_path / "Data" / "train_answer.csv")
    pd.testing.assert_frame_equal(known, targets.loc[out_of_fold.index])
    assert len(out_of_fold) == 32 and set(out_of_fold.index) == set(targets.index)
    submission = sum(table(sweep / f"avg_seed0_fold{fold}" / "predictions.csv") for fold in range(2)) / 2
    pd.testing.assert_frame_equal(table(sweep / "submission.csv"), submission, rtol=1e-6)
    page = (sweep / "report.html").read_text(encoding="utf-8")
    assert page.count("data:audio/flac") == 16 and "Without all of the sound" not in page  # of both folds' sources
    metrics = json.loads((sweep / "ensemble.json").read_text())["metrics"]
    assert [row["fold"] for row in metrics[:2]] == [0, 1]
    assert metrics[-2]["val_kl"] == pytest.approx(kl(known.to_numpy(), out_of_fold.to_numpy()).mean(), abs=1e-5)
