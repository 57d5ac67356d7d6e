"""The benchmarks of speed, scores and events."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from benchmarks import events, gpu, held_out, notebook, score, speed, unseen_speakers, workload
from datamodules.audio_files import list_recordings
from datamodules.sources import CompetitionFolder, WordFolder
from lightning_modules.metrics.kl import kl
from tests.helpers.fake_recordings import RATE, WORDS, speech, write
from tests.helpers.networks import write_network


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """130 clips, two of them distinct."""
    root = tmp_path_factory.mktemp("speed") / "clips"
    workload.make_clips(root, 130, num_distinct=2)
    return root


def test_both_sides_load_the_same_batches(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for side in (speed, notebook):
        monkeypatch.setattr(side, "rate", lambda work: work())
        assert side.loading(root, 0) == 128
    data = speed.data_module(root, root / "cache")
    data.setup()
    features, targets = data.train.__getitems__([0, 1])
    expected = [torch.load(root / "files" / f"{i:06d}.pt") for i in range(2)]
    assert torch.allclose(features.float(), torch.stack(expected), atol=0.01)
    assert set(targets.unique().tolist()) == {0.0, 0.25} and (targets.sum(dim=1) == 1).all()


def test_a_training_run_has_its_speed_or_its_error(root: Path) -> None:
    options = ["experiment=winner", f"data.root={root}", *gpu.LONG, *gpu.SMALL]
    clips_per_second, gigabytes = workload.train(root, "run", *options, "trainer.limit_train_batches=2")
    assert clips_per_second > 0 and gigabytes > 0
    with pytest.raises(RuntimeError, match="overwrite"):  # before it imports torch
        workload.train(root, "other", *options, "overwrite=no")


def run(module, monkeypatch, capsys, *arguments):
    monkeypatch.setattr("sys.argv", ["benchmark", *map(str, arguments)])
    module.main()
    printed = capsys.readouterr().out
    return printed, {row[0]: row[1:] for line in printed.splitlines() if (row := line.strip("| ").split(" | "))}


def test_mixtures_by_unseen_speakers_events_per_hour_and_words_found(words, monkeypatch, capsys, tmp_path):
    model = write_network(tmp_path / "run", "avg", 0, words=sorted(WORDS), output="set", k=[0, 4])
    monkeypatch.setattr(unseen_speakers, "SIZE", 10)
    printed, rows = run(unseen_speakers, monkeypatch, capsys, words, "--model", model)
    assert printed.startswith("48 recordings of words")
    assert float(rows["4 words"][0]) > 0 and rows["4 words"][1] == "100.0%"  # all four are in every clip
    (tmp_path / "talk" / "nested").mkdir(parents=True)
    write(tmp_path / "talk" / "nested" / "one.wav", speech(0, seconds=20))
    monkeypatch.setattr(events, "NUM_WORDS", 6)
    plot = tmp_path / "curve.png"
    arguments = words, f"talk={tmp_path / 'talk'}", "--model", model, "--plot", plot
    printed, rows = run(events, monkeypatch, capsys, *arguments)
    assert printed.startswith("6 words of 48 recordings; without the words: talk 0.3 minutes; EventRule(")
    assert len(rows["default"]) == 3 and float(rows["0.99"][0]) <= float(rows["0.3"][0])
    assert plot.read_bytes().startswith(b"\x89PNG")


def test_words_are_where_the_table_says(words):
    recordings = unseen_speakers.read_words(words)
    recording, spoken = events.speak(recordings, np.zeros(RATE), 10)
    loud = [np.abs(recording[round(row.start_s * RATE) : round(row.end_s * RATE)]).max() for row in spoken]
    assert len(spoken) == events.NUM_WORDS and min(loud) > 0.01
    correct = [event._replace(end_s=event.end_s + 0.1) for event in spoken]
    assert events.found(correct, spoken).all()
    late = [event._replace(start_s=event.end_s + 0.5, end_s=event.end_s + 1.5) for event in correct]
    assert events.found(late, spoken).mean() < 0.2  # where the next word is the same
    assert not events.found([], spoken).any()


TEST_SETS = {"test": {"k": 2}, "words3": {"k": 3}, "noise": {"noise_db": 10.0}}


@pytest.fixture
def simulated(words: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> Path:
    monkeypatch.setattr(held_out, "TEST_SETS", TEST_SETS)
    sizes = "--speakers", 2, "--train-size", 8, "--test-size", 12
    run(held_out, monkeypatch, capsys, words, tmp_path / "out", *sizes)
    return tmp_path / "out"


def test_a_simulated_competition_and_its_word_folder_have_the_same_speakers(simulated, cache_dir):
    splits = CompetitionFolder(str(simulated), val_fraction=0).load(cache_dir, 0)
    assert len(splits.train) == 8 and len(splits.test) == 12
    words = WordFolder(str(simulated / "words"), k=2, val_fraction=0, submission=str(simulated)).load(cache_dir, 0)
    assert words.test.ids == splits.test.ids and words.class_names == splits.class_names
    assert len({path.name.split("_")[0] for path in (simulated / "words").glob("*/*")}) == 4
    for name, k in (("test", 2), ("words3", 3), ("noise", 4)):
        targets = pd.read_csv(simulated / f"test_sets/{name}.csv", index_col=0)
        assert ((targets > 0).sum(axis=1) == k).all()
        assert list(targets.index) == [path.stem for path in list_recordings(simulated / "test_sets" / name)]


def test_recipes_are_compared_on_the_same_clips_with_an_interval(simulated, monkeypatch):
    blurs = {"good": (0.2, 0.4), "bad": (0.9, 0.8)}

    def predict(recipe: Path, folder: Path, class_names: list[str]) -> np.ndarray:
        targets = pd.read_csv(folder.with_suffix(".csv"), index_col=0).to_numpy()
        return np.stack([targets * (1 - blur) + blur / 4 for blur in blurs[recipe.name]])

    monkeypatch.setattr(score, "predict", predict)
    for path in list_recordings(simulated / "words" / "left")[1:]:
        path.unlink()
    good, bad = score.score_test_set(simulated / "test_sets/test.csv", [Path("good"), Path("bad")])
    assert good["difference"] == 0 and good["members"] == 2 and good["constant"] == pytest.approx(np.log(2))
    assert bad["kl"] - good["kl"] == pytest.approx(bad["difference"])
    assert 0 < bad["difference_low"] <= bad["difference"] <= bad["difference_high"]
    assert good["ensemble_kl"] < good["kl"] and good["recall"] == good["scarce_recall"] == 1


def test_every_member_predicts_the_recordings(simulated, tmp_path):
    words = sorted(path.name for path in (simulated / "words").iterdir())
    for seed in range(2):
        write_network(tmp_path / "sweep", "avg", seed, words=words)
    probs = score.predict(tmp_path / "sweep", simulated / "test_sets" / "words3", words)
    assert probs.shape == (2, 6, 4) and not np.allclose(probs[0], probs[1])
    assert np.allclose(probs.sum(axis=2), 1)
    with pytest.raises(SystemExit, match="no member that was trained on the words"):
        score.predict(tmp_path / "sweep", simulated / "test_sets" / "words3", words[:3])


def test_recall_of_some_words_and_calibration():
    targets = np.array([[0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]])
    probs = np.array([[0.6, 0.1, 0.3], [0.1, 0.6, 0.3], [0.2, 0.5, 0.3]])
    assert score.recall_of(np.array([True, False, False]), targets, probs) == 0.5
    assert np.isnan(score.recall_of(np.zeros(3, bool), targets, probs))
    balanced = np.array([[0.7, 0.3], [0.3, 0.7]])
    sharp = balanced**2 / (balanced**2).sum(axis=1, keepdims=True)
    assert score.calibration_error(balanced, balanced) == pytest.approx(0, abs=1e-9)
    assert score.calibration_error(balanced, sharp) == pytest.approx(kl(balanced, sharp).mean(), rel=0.01)
