"""Clips without words, and the members' probability that a clip has any."""

import numpy as np
import pandas as pd
import pytest

from overlapped_words import load
from overlapped_words.ensembling.combine import average_scores
from overlapped_words.errors import RunError
from overlapped_words.inference.events import EventRule
from overlapped_words.runs.members import find_members
from tests.helpers.data_modules import load_words
from tests.helpers.fake_members import write_member
from tests.helpers.networks import write_network
from tests.helpers.scripts import combine

PROBS = [0.9, 0.2, 0.6, 0.6, 0.3, 0.1]
HAS_WORDS = [1, 1, 1, 0, 0, 0]


def write(folder, probs=PROBS, has_words=HAS_WORDS):
    table = pd.DataFrame({"has_words": has_words, "any_word": probs}).rename_axis("id").rename("clip{}".format)
    table.to_csv(folder / "any_word.csv")


@pytest.fixture
def sweep(tmp_path):
    for seed in (0, 1):
        write(write_member(tmp_path, "avg", seed), np.array(PROBS) + 0.1 * seed)
    return tmp_path


def test_members_are_averaged_if_all_have_the_table(sweep):
    table = average_scores(find_members(sweep), "any_word")
    np.testing.assert_allclose(table["any_word"], np.array(PROBS) + 0.05)
    assert table["has_words"].tolist() == HAS_WORDS and table.index[0] == "clip0"
    (sweep / "avg_seed1" / "any_word.csv").unlink()
    assert average_scores(find_members(sweep), "any_word") is None


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: write(folder, PROBS[:4], HAS_WORDS[:4]), "other clips than in .*avg_seed0/any_word.csv"),
        (lambda folder: write(folder, has_words=[1] * 6), "not a table of clips with and without words"),
        (lambda folder: write(folder, probs=["x"] * 6), "not a table in UTF-8"),
    ],
)
def test_damaged_tables(sweep, damage, message):
    damage(sweep / "avg_seed1")
    with pytest.raises(RunError, match=f"avg_seed1/any_word.csv: {message}.*train the member again"):
        average_scores(find_members(sweep), "any_word")


def write_scores(folder, num_silent, words=(0.9, 0.99, 0.7, 0.95)):
    scores = [*words, *np.linspace(0.05, 0.85, num_silent)]
    ids = ["a", "a", "b", "c", *map("silent{}".format, range(num_silent))]
    has_words = [1] * 4 + [0] * num_silent
    table = pd.DataFrame({"has_words": has_words, "event_score": scores}, pd.Index(ids, name="id"))
    table.to_csv(folder / "event_score.csv")


def test_the_threshold_of_events_is_fitted_to_clips_without_words(tmp_path, capsys):
    folders = [write_network(tmp_path, pool, 0, output="set", k=[0, 2]) for pool in ("avg", "max")]
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
