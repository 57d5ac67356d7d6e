"""The stand-in competition keeps its speakers apart, and recipes are compared clip by clip."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from benchmarks import held_out, score, stacking
from datamodules.recordings import list_recordings
from datamodules.sources import CompetitionFolder, WordFolder

SHEETS = {"test": held_out.Sheet(12, k=2), "words3": held_out.Sheet(6, k=3), "noise": held_out.Sheet(6, noise_db=10.0)}


@pytest.fixture
def stand_in(words: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(held_out, "SHEETS", SHEETS)
    out = tmp_path / "out"
    monkeypatch.setattr("sys.argv", ["held_out", str(words), str(out), "--speakers", "2", "--train-size", "8"])
    held_out.main()
    return out


def test_a_stand_in_is_a_competition_and_a_word_folder_of_the_same_speakers(stand_in, cache_dir):
    splits = CompetitionFolder(str(stand_in), val_fraction=0).load(cache_dir, 0)
    assert len(splits.train) == 8 and len(splits.test) == 12
    words = WordFolder(str(stand_in / "words"), k=2, val_fraction=0, submission=str(stand_in)).load(cache_dir, 0)
    assert words.test.ids == splits.test.ids and words.class_names == splits.class_names
    assert len({path.name.split("_")[0] for path in (stand_in / "words").glob("*/*")}) == 4
    for name, sheet in SHEETS.items():
        answers = pd.read_csv(stand_in / f"sheets/{name}.csv", index_col=0)
        assert ((answers > 0).sum(axis=1) == sheet.k).all()
        assert list(answers.index) == [path.stem for path in list_recordings(stand_in / "sheets" / name)]


def test_noise_is_so_much_below_the_words(words):
    held = held_out.Words(words, 2, seed=0)
    clean, noisy = [], []
    for noise_db, clips in ((None, clean), (10.0, noisy)):
        held.write(words / "sheet", words / "sheet.csv", held_out.Sheet(4, 2, noise_db=noise_db), True, [0])
        clips += [soundfile.read(path)[0] for path in list_recordings(words / "sheet")]
    for clip, other in zip(clean, noisy, strict=True):
        other = other * (clip @ clip) / (other @ clip)  # it was turned down where the noise went beyond full scale
        assert np.mean(np.square(clip)) / np.mean(np.square(other - clip)) == pytest.approx(10, rel=0.05)


def test_what_a_temperature_takes_off_is_calibration():
    balanced = np.array([[0.7, 0.3], [0.3, 0.7]])
    assert score.calibration_error(balanced, balanced) == pytest.approx(0, abs=1e-9)
    for power in (0.5, 2.0):  # too flat, too sharp
        off = balanced**power / (balanced**power).sum(axis=1, keepdims=True)
        expected = np.mean(np.sum(balanced * np.log(balanced / off), axis=1))
        assert score.calibration_error(balanced, off) == pytest.approx(expected, rel=0.01)


def test_the_interval_of_a_mean():
    values = np.random.default_rng(0).normal(2, 1, 400)
    low, high = score.interval(values, np.random.default_rng(1))
    assert low < values.mean() < high
    assert high - low == pytest.approx(2 * 1.96 / 20, rel=0.15)


def test_recipes_are_compared_on_the_same_clips(stand_in, monkeypatch):
    blurs = {"good": (0.2, 0.4), "bad": (0.9, 0.8)}

    def predict(recipe: Path, folder: Path, class_names: list[str]) -> np.ndarray:
        answers = pd.read_csv(folder.with_suffix(".csv"), index_col=0).to_numpy()
        return np.stack([answers * (1 - blur) + blur / 4 for blur in blurs[recipe.name]])

    monkeypatch.setattr(score, "predict", predict)
    good, bad = score.score_sheet(stand_in / "sheets/test.csv", [Path("good"), Path("bad")])
    assert good["difference"] == 0 and good["members"] == 2 and good["constant"] == pytest.approx(np.log(2))
    assert bad["kl"] - good["kl"] == pytest.approx(bad["difference"])
    assert 0 < bad["difference_low"] <= bad["difference"] <= bad["difference_high"]
    assert good["ensemble_kl"] < good["kl"] and good["recall"] == 1


def members(rng: np.random.Generator, answers: np.ndarray, noises: list[float]) -> np.ndarray:
    """Members that know the answers but for so much noise in their log-odds."""
    scores = np.log(answers + 0.05) + np.stack([noise * rng.normal(size=answers.shape) for noise in noises])
    odds = np.exp(scores)
    return odds / odds.sum(axis=2, keepdims=True)


def test_weights_are_judged_on_clips_that_they_were_not_fitted_on():
    rng = np.random.default_rng(0)
    answers = rng.permuted(np.tile([0.5, 0.5, 0, 0, 0, 0], (300, 1)), axis=1)
    probs = members(rng, answers, [0.5, 0.6, 3.0])
    table = stacking.judge(probs, answers, num_clips=200, num_draws=4)
    assert table.loc["mean", "to the mean"] == 0 and table.loc["best member", "over best"] == 0
    assert table.loc["greedy", "KL"] < min(table.loc["mean", "KL"], table.loc["best member", "KL"])
    assert table.loc["stacked", "worse"] == 0 and table.loc["stacked", "to the mean"] < -0.1
    # One clip says nothing about 300 others: what was fitted to it is worse than the mean of equals.
    equals = members(rng, answers, [1.0, 1.0, 1.0])
    assert stacking.judge(equals, answers, num_clips=1, num_draws=4).loc["best member", "worse"] == 1


def test_greedy_selection_comes_to_the_best_weights_of_a_mean():
    answers = np.eye(2)[(np.arange(100) % 4 == 0).astype(int)]  # a quarter of the clips are the second word
    certain = np.stack([np.tile([1.0, 0.0], (100, 1)), np.tile([0.0, 1.0], (100, 1))])
    mean = stacking.greedy(certain, answers)(certain)
    shares = answers.mean(axis=0)
    assert np.abs(mean - shares).max() <= 1 / stacking.ROUNDS
