"""False alarms in clips without words, against missed clips."""

import numpy as np
import pandas as pd
import pytest

from overlapped_words.ensembling.any_word import average_any_word, false_alarms
from overlapped_words.errors import RunError
from overlapped_words.runs.members import find_members
from tests.helpers.data_modules import load_words
from tests.helpers.fake_members import write_member

PROBS = [0.9, 0.2, 0.6, 0.6, 0.3, 0.1]
HAS_WORDS = [1, 1, 1, 0, 0, 0]


def write(folder, probs=PROBS, has_words=HAS_WORDS):
    table = pd.DataFrame({"has_words": has_words, "any_word": probs}).rename("clip{}".format)
    table.to_csv(folder / "any_word.csv", index_label="id")


@pytest.fixture
def sweep(tmp_path):
    for seed in (0, 1):
        write(write_member(tmp_path, "avg", seed), np.array(PROBS) + 0.1 * seed)
    return tmp_path


def test_members_are_averaged_if_all_have_the_table(sweep):
    table = average_any_word(find_members(sweep))
    np.testing.assert_allclose(table["any_word"], np.array(PROBS) + 0.05)
    assert table["has_words"].tolist() == HAS_WORDS and table.index[0] == "clip0"
    (sweep / "avg_seed1" / "any_word.csv").unlink()
    assert average_any_word(find_members(sweep)) is None


def test_every_threshold_has_its_misses_and_false_alarms():
    table = false_alarms(pd.DataFrame({"has_words": HAS_WORDS, "any_word": PROBS}))
    assert table["threshold"].tolist() == [0.9, 0.6, 0.3, 0.2, 0.1]
    np.testing.assert_allclose(table["missed"], [2 / 3, 1 / 3, 1 / 3, 0, 0])
    np.testing.assert_allclose(table["per_hour"], [0, 1200, 2400, 2400, 3600])


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: write(folder, PROBS[:4], HAS_WORDS[:4]), "other clips than in .*avg_seed0/any_word.csv"),
        (lambda folder: write(folder, has_words=[1] * 6), "not a table of clips with and without words"),
        (lambda folder: write(folder, probs=["x"] * 6), "not a table in UTF-8"),
        (lambda folder: (folder / "any_word.csv").write_text("," * 16_000_000), "has a line of more than 10,000"),
    ],
)
def test_damaged_tables(sweep, damage, message):
    damage(sweep / "avg_seed1")
    with pytest.raises(RunError, match=f"avg_seed1/any_word.csv: {message}.*train the member again"):
        average_any_word(find_members(sweep))


def test_clips_without_words_have_background_or_other_speech(words, cache_dir):
    splits = load_words(words, cache_dir, k=(0, 2))
    clips = splits.no_words
    assert len(clips) == 40 and clips.ids[0] == "test_no_words_00000"
    assert not clips.targets.any() and np.abs(clips.array[clips.rows]).max(axis=1).min() > 0
    again = load_words(words, cache_dir, seed=1, k=(0, 2)).no_words
    assert np.array_equal(again.array, clips.array)
    assert load_words(words, cache_dir, k=(0, 2), test_fraction=0).no_words.ids[0] == "val_no_words_00000"
    assert load_words(words, cache_dir, k=(1, 2)).no_words is None
