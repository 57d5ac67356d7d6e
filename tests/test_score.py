"""The simulated competition separates speakers; recipes are compared per clip."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from benchmarks import held_out, score
from datamodules.audio_files import list_recordings
from datamodules.sources import CompetitionFolder, WordFolder
from tests.helpers.networks import write_network

TEST_SETS = {
    "test": held_out.MixtureSet(12, k=2),
    "words3": held_out.MixtureSet(6, k=3),
    "noise": held_out.MixtureSet(6, noise_db=10.0),
}


@pytest.fixture
def simulated(words: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(held_out, "TEST_SETS", TEST_SETS)
    out = tmp_path / "out"
    monkeypatch.setattr("sys.argv", ["held_out", str(words), str(out), "--speakers", "2", "--train-size", "8"])
    held_out.main()
    return out


def test_a_simulated_competition_and_its_word_folder_have_the_same_speakers(simulated, cache_dir):
    splits = CompetitionFolder(str(simulated), val_fraction=0).load(cache_dir, 0)
    assert len(splits.train) == 8 and len(splits.test) == 12
    words = WordFolder(str(simulated / "words"), k=2, val_fraction=0, submission=str(simulated)).load(cache_dir, 0)
    assert words.test.ids == splits.test.ids and words.class_names == splits.class_names
    assert len({path.name.split("_")[0] for path in (simulated / "words").glob("*/*")}) == 4
    for name, spec in TEST_SETS.items():
        targets = pd.read_csv(simulated / f"test_sets/{name}.csv", index_col=0)
        assert ((targets > 0).sum(axis=1) == spec.k).all()
        assert list(targets.index) == [path.stem for path in list_recordings(simulated / "test_sets" / name)]


def test_level_of_the_noise(words):
    recordings = held_out.Words(words, 2, seed=0)
    clean, noisy = [], []
    for noise_db, clips in ((None, clean), (10.0, noisy)):
        recordings.write(words / "set", words / "set.csv", held_out.MixtureSet(4, 2, noise_db=noise_db), True, [0])
        clips += [soundfile.read(path)[0] for path in list_recordings(words / "set")]
    for clip, other in zip(clean, noisy, strict=True):
        other = other * (clip @ clip) / (other @ clip)  # the mixture is attenuated if the noise exceeds full scale
        assert np.mean(np.square(clip)) / np.mean(np.square(other - clip)) == pytest.approx(10, rel=0.05)


def test_calibration_error():
    balanced = np.array([[0.7, 0.3], [0.3, 0.7]])
    assert score.calibration_error(balanced, balanced) == pytest.approx(0, abs=1e-9)
    sharp = balanced**2 / (balanced**2).sum(axis=1, keepdims=True)
    expected = np.mean(np.sum(balanced * np.log(balanced / sharp), axis=1))
    assert score.calibration_error(balanced, sharp) == pytest.approx(expected, rel=0.01)


def test_recipes_are_compared_on_the_same_clips_with_an_interval(simulated, monkeypatch):
    blurs = {"good": (0.2, 0.4), "bad": (0.9, 0.8)}

    def predict(recipe: Path, folder: Path, class_names: list[str]) -> np.ndarray:
        targets = pd.read_csv(folder.with_suffix(".csv"), index_col=0).to_numpy()
        return np.stack([targets * (1 - blur) + blur / 4 for blur in blurs[recipe.name]])

    monkeypatch.setattr(score, "predict", predict)
    good, bad = score.score_test_set(simulated / "test_sets/test.csv", [Path("good"), Path("bad")])
    assert good["difference"] == 0 and good["members"] == 2 and good["constant"] == pytest.approx(np.log(2))
    assert bad["kl"] - good["kl"] == pytest.approx(bad["difference"])
    assert 0 < bad["difference_low"] <= bad["difference"] <= bad["difference_high"]
    assert good["ensemble_kl"] < good["kl"] and good["recall"] == 1


def test_every_member_predicts_the_recordings(simulated, tmp_path):
    words = sorted(path.name for path in (simulated / "words").iterdir())
    for seed in range(2):
        write_network(tmp_path / "sweep", "avg", seed, words=words)
    probs = score.predict(tmp_path / "sweep", simulated / "test_sets" / "words3", words)
    assert probs.shape == (2, 6, 4) and not np.allclose(probs[0], probs[1])
    assert np.allclose(probs.sum(axis=2), 1)
    with pytest.raises(SystemExit, match="no member that was trained on the words"):
        score.predict(tmp_path / "sweep", simulated / "test_sets" / "words3", words[:3])


def test_recall_of_scarce_words(words):
    names = sorted(folder.name for folder in words.iterdir())
    for path in list_recordings(words / names[0])[1:]:
        path.unlink()
    scarce = score.scarce_words(words, names)
    assert list(scarce) == [True] + [False] * (len(names) - 1)
    targets = np.array([[0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]])
    probs = np.array([[0.6, 0.1, 0.3], [0.1, 0.6, 0.3], [0.2, 0.5, 0.3]])
    assert score.recall_of(np.array([True, False, False]), targets, probs) == 0.5
    assert np.isnan(score.recall_of(np.zeros(3, bool), targets, probs))
