"""The rule of events, its detector, its files, and its threshold from clips without words."""

import json

import numpy as np
import pandas as pd
import pytest

from overlapped_words import RunError, load
from overlapped_words.ensembling.combine import average_scores
from overlapped_words.export.export import export
from overlapped_words.inference.checkpoints import find_fitted
from overlapped_words.inference.events import Event, EventDetector, EventRule
from overlapped_words.runs.members import find_members
from tests.helpers.composed import settings_of
from tests.helpers.data_modules import load_words
from tests.helpers.fake_members import WORDS, write_member
from tests.helpers.networks import write_members
from tests.helpers.scripts import combine


def found(scores, **rule):
    detector = EventDetector(EventRule(**{"windows": 1, "threshold": 0.5, "refractory": 0.0, **rule}), ["a"])
    pushed = [detector.push(i / 8, i / 8 + 1, np.array([score])) for i, score in enumerate(scores)]
    return [(i, event) for i, events in enumerate(pushed) for event in events]


def test_an_utterance_is_one_event_when_it_reaches_the_threshold_in_enough_windows():
    ((index, event),) = found([0, 0.2, 0.5, 0.9, 0.6, 1, 1, 0], windows=3)
    assert index == 4 and event == Event(4 / 8, 2 / 8 + 1, "a", 0.9)
    assert not found([0, 0.9, 0.9, 0.4, 0.9, 0.9, 0], windows=3)
    assert not found([1, 1], windows=3)  # there have not been three windows
    assert [i for i, _ in found([0.6, 0.4, 0.6, 0.26, 0.6])] == [0]  # never below half of the threshold
    assert [i for i, _ in found([0.6, 0.2, 0.6, 0.2, 0.4, 0.6])] == [0, 2, 5]
    assert [i for i, _ in found([0.6, 0.2, 0.6, 0.2, 0.6], refractory=0.3)] == [0, 4]
    assert [i for i, _ in found([0.6, 0.2, 0.2, 0.6, 0.2, 0.6], refractory=0.25)] == [0, 3]
    rule = EventRule(windows=1, threshold={"a": 0.9, "b": 0.2})
    detector = EventDetector(rule, ["b", "a"])
    pushed = [detector.push(i / 8, i / 8 + 1, np.array([0.5, score])) for i, score in enumerate([0.5, 0.95, 0.95])]
    assert [[event.word for event in events] for events in pushed] == [["b"], ["a"], []]
    with pytest.raises(RunError, match=r"events.threshold is for different words \(c\); give one per word"):
        EventDetector(rule, ["a", "b", "c"])


def test_a_rule_of_ensemble_json_is_used_for_its_members_and_exported(tmp_path):
    write_members(tmp_path, output="set", k=[0, 2])
    combine(tmp_path)
    file = tmp_path / "ensemble.json"
    content, threshold = json.loads(file.read_text()), dict.fromkeys(WORDS, 0.25)

    def write(rule):
        file.write_text(json.dumps(content | {"events": rule}))

    write({"threshold": threshold})
    assert load(tmp_path, "cpu").rule() == EventRule(threshold=threshold)
    assert load(tmp_path, "cpu").rule(0.75) == EventRule(threshold=0.75)
    assert load(tmp_path / "avg_seed0", "cpu").rule() == EventRule()
    path = export(settings_of("export", f"run_dir={tmp_path}", "format=safetensors"))
    assert load(path, "cpu").rule() == EventRule(threshold=threshold)
    for rule in ({"windows": 0}, {"more": 1}):
        write(rule)
        with pytest.raises(RunError, match=f"^{file}: .*(windows|more).*; run ensemble.py again, or delete the file$"):
            find_fitted(sorted(tmp_path.glob("*_seed0/checkpoints/last.ckpt")))


PROBS = [0.9, 0.2, 0.6, 0.6, 0.3, 0.1]
HAS_WORDS = [1, 1, 1, 0, 0, 0]


def write_any_word(folder, probs, has_words):
    table = pd.DataFrame({"has_words": has_words, "any_word": probs}).rename_axis("id").rename("clip{}".format)
    table.to_csv(folder / "any_word.csv")


def test_the_probability_of_any_word_is_averaged_if_all_members_have_it(tmp_path):
    folders = [write_member(tmp_path, "avg", seed) for seed in (0, 1)]
    for i, folder in enumerate(folders):
        write_any_word(folder, np.array(PROBS) + 0.1 * i, HAS_WORDS)
    table = average_scores(find_members(tmp_path), "any_word")
    np.testing.assert_allclose(table["any_word"], np.array(PROBS) + 0.05)
    assert table["has_words"].tolist() == HAS_WORDS and table.index[0] == "clip0"
    for probs, has_words, message in (
        (PROBS[:4], HAS_WORDS[:4], "other clips than in .*avg_seed0/any_word.csv.*train the member again"),
        (PROBS, [1] * 6, "not a table of clips with and without words.*train the member again"),
        (["x"] * 6, HAS_WORDS, "not a table in UTF-8"),
    ):
        write_any_word(folders[1], probs, has_words)
        with pytest.raises(RunError, match=f"avg_seed1/any_word.csv: {message}"):
            average_scores(find_members(tmp_path), "any_word")
    for fold, probs in enumerate((PROBS[:4], PROBS)):  # in a cross-validation without test clips
        write_any_word(write_member(tmp_path / "folds", "avg", 0, fold), probs, HAS_WORDS[: len(probs)])
    assert average_scores(find_members(tmp_path / "folds"), "any_word")["any_word"].tolist() == PROBS[:4] + PROBS
    (folders[1] / "any_word.csv").unlink()
    assert average_scores(find_members(tmp_path), "any_word") is None


def write_scores(folder, num_silent, words=(0.9, 0.99, 0.7, 0.95)):
    scores = [*words, *np.linspace(0.05, 0.85, num_silent)]
    ids = ["a", "a", "b", "c", *map("silent{}".format, range(num_silent))]
    has_words = [1] * 4 + [0] * num_silent
    table = pd.DataFrame({"has_words": has_words, "event_score": scores}, pd.Index(ids, name="id"))
    table.to_csv(folder / "event_score.csv")


def test_the_threshold_of_events_is_fitted_to_clips_without_words(tmp_path, capsys):
    folders = sorted(write_members(tmp_path, output="set", k=[0, 2]).iterdir())
    for folder in folders:
        write_scores(folder, 360)
    combine(tmp_path)
    printed = capsys.readouterr().out
    assert "Events: threshold 0.848, 20 events per hour in clips without words, 75.0% of the words found" in printed
    assert load(tmp_path, "cpu").rule().threshold == pytest.approx(0.85 - 0.8 / 359)
    for folder in folders:
        write_scores(folder, 100)
    combine(tmp_path)
    assert "Events: default threshold; none was found with 20 events per hour; set data.test" in capsys.readouterr().out
    assert load(tmp_path, "cpu").rule() == EventRule()


def test_clips_without_words_have_background_or_other_speech(words, cache_dir):
    splits = load_words(words, cache_dir, k=(0, 2))
    clips = splits.no_words
    assert len(clips) == 40 and clips.ids[0] == "test_no_words_00000"
    assert not clips.targets.any() and np.abs(clips.array[clips.rows]).max(axis=1).min() > 0
    again = load_words(words, cache_dir, seed=1, k=(0, 2)).no_words
    assert np.array_equal(again.array, clips.array)
    assert load_words(words, cache_dir, k=(0, 2), test_fraction=0).no_words.ids[0] == "val_no_words_00000"
    assert load_words(words, cache_dir, k=(1, 2)).no_words is None
