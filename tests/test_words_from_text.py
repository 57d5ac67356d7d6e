"""data=synthetic with words of the user's own, in any language, and with recordings by people."""

import re
from unittest.mock import Mock

import numpy as np
import pytest

from datamodules import voices
from datamodules.corpus import clean_words
from datamodules.spans import split_recordings
from datamodules.synthetic import Synthetic
from overlapped_words.cli import as_overrides
from overlapped_words.errors import DataError
from overlapped_words.messages import printable
from overlapped_words.settings.train import Train
from tests.helpers.composed import settings_of
from tests.helpers.fake_recordings import write, write_word_folder

FRUIT = ["apfel", "birne", "Äpfel"]
SIZES = {"train_size": 5, "val_size": 4, "test_size": 4}


def source(words=FRUIT, language="de", root=None, **mixing) -> Synthetic:
    return Synthetic(6, 1, words, language, root and str(root), **{"k": 2, **SIZES, **mixing})


@pytest.mark.parametrize(
    ("words", "language"), [(FRUIT, "de"), (["사과", "바나나"], "ko"), (["thank you", "no"], "en")]
)
def test_the_classes_are_the_words(tmp_path, words, language):
    splits = source(words, language, k=1).load(tmp_path, seed=0)
    assert splits.class_names == sorted(words)
    (folder,) = (path for path in tmp_path.glob("synthetic-*") if path.is_dir())
    assert {path.name for path in folder.iterdir()} == set(words)
    assert all(len(list(path.iterdir())) == 6 for path in folder.iterdir())


def test_few_words_are_mixed_in_any_number(tmp_path):
    with pytest.raises(DataError, match=r"^data\.k is 4, but data\.words has 3 words; choose a number below 3, or a"):
        source(k=4).load(tmp_path, seed=0)
    assert not list(tmp_path.iterdir())  # an error before the words are spoken
    splits = source(k=None, val_size=20).load(tmp_path, seed=0)
    assert splits.train.k == (1, 3) and set((splits.val.targets > 0).sum(axis=1)) == {1, 2, 3}
    with pytest.raises(DataError, match=r"^data\.language is de, but the default words are English; give data\.words"):
        source(words=None, language="de")


def test_people_are_split_like_voices_and_replace_them_in_held_out_splits(tmp_path, rows):
    people = write_word_folder(tmp_path / "people", FRUIT[:2], takes=1)  # six, for two of the three words
    splits = source(root=people, val_fraction=0.3, test_fraction=0.2).load(tmp_path / "cache", seed=0)
    num_spoken = 18  # three words by six voices
    by_people = [[int((word >= num_spoken).sum()) for word in split] for split in rows]
    by_voices = [[int((word < num_spoken).sum()) for word in split] for split in rows]
    assert splits.class_names == ["apfel", "birne", "Äpfel"]
    assert by_people == [[3, 3, 0], [2, 2, 0], [1, 1, 0]]
    assert by_voices == [[3, 3, 3], [0, 0, 2], [0, 0, 1]]
    assert [splits.sizes[name]["speakers"] for name in ("train", "val", "test")] == [6, 4, 2]


def test_other_speech_is_in_the_split_of_its_speaker(tmp_path, monkeypatch):
    people = write_word_folder(tmp_path / "people", FRUIT[:2], takes=1)
    other = write_word_folder(tmp_path / "other", ["says"], takes=2) / "says"
    options = {"k": [0, 2], "val_fraction": 0.3, "test_fraction": 0.2}
    for unknown in (str(other), None):  # by the same people; by the voices
        asked = Mock(side_effect=split_recordings)
        monkeypatch.setattr("datamodules.words.split_recordings", asked)
        source(root=people, unknown=unknown, **options).load(tmp_path / "cache", seed=0)
        _, groups, split_of, *_ = asked.call_args_list[0].args
        assert set(groups) <= split_of.keys() and {split_of[group] for group in groups} >= {"train", "val"}


def test_folders_of_people_that_cannot_be_used(tmp_path):
    people = write_word_folder(tmp_path / "people", FRUIT, takes=1)
    with pytest.raises(DataError, match=r"ann_0\.wav: data\.speaker_regex"):  # it is for the recordings by people
        source(root=people, speaker_regex=r"(\d\d)").load(tmp_path / "cache", seed=0)
    (people / "apfel").rename(people / "kiwi")
    with pytest.raises(DataError, match=rf"^{re.escape(str(people / 'kiwi'))}: not in data\.words; add .* or remove"):
        source(root=people).load(tmp_path / "cache", seed=0)
    with pytest.raises(DataError, match=r"/nosuch: no such folder"):
        source(root=tmp_path / "nosuch").load(tmp_path / "cache", seed=0)


def test_other_speech_is_synthetic_and_noise_that_of_the_people_if_no_recordings_are_given(tmp_path, caplog):
    noise = write_word_folder(tmp_path / "people", FRUIT, takes=1) / "_background_noise_"
    noise.mkdir()
    write(noise / "hum.wav", np.full(48_000, 0.1))
    speech = source(root=noise.parent, k=[0, 2], timeline=0.5)
    train = speech.load(tmp_path, seed=0).train
    (folder,) = (path for path in tmp_path.glob("speech-*") if path.is_dir())
    assert speech.background == [noise] and speech.unknown == [folder]
    assert len(train.mixer.unknown) and train.mixer.timeline == 0.5
    assert "data.unknown is null: " in caplog.text
    given = source(k=[0, 2], unknown=str(folder))
    caplog.clear()
    given.load(tmp_path, seed=0)
    assert given.unknown == [folder] and not caplog.text


def test_own_words_are_to_be_found_in_other_speech():
    for given, k, timeline, output in (
        (["data.words=[a,b,c]"], [0, 2], 0.5, "set"),
        (["data.words=[a]", "experiment=spotter"], [0, 1], 0.5, "set"),
        (["data.words=[a,b]", "data.k=1"], 1, 0.0, "softmax"),
        ([], None, 0.0, "softmax"),
        (["data=words", "data.root=.", "data.k=[0,2]"], [0, 2], 0.0, "set"),
    ):
        settings = settings_of("train", *given)
        assert (settings.data["k"], settings.data["timeline"], settings.model["output"]) == (k, timeline, output)


def test_words_of_a_command_line():
    for given, words in (
        ("[no, on, thank you]", ["no", "on", "thank you"]),
        ("[null, 1, äpfel, 사과, don't]", ["null", "1", "äpfel", "사과", "don't"]),
        ("['yes, please',no]", ["yes, please", "no"]),
        ("null", None),
    ):
        data = settings_of("train", *as_overrides([f"data.words={given}", "data.language=no"], Train)).data
        assert (data["words"], data["language"]) == (words, "no")


@pytest.mark.parametrize("word", ["", " yes", "_yes", "..", "yes/no", "yes\tno", "yes" * 40])
def test_a_word_that_is_no_folder_name_is_an_error(word):
    with pytest.raises(DataError, match=rf"^data\.words: '{re.escape(printable(word))}' is no folder name; give"):
        clean_words(["no", word])


def test_a_language_has_the_accents_of_its_code_an_unknown_one_or_a_word_given_twice_is_an_error():
    assert len(voices.find_accents("en")) == 9
    found = [voices.find_accents(language) for language in ("de", "ko", "es", "EN-us")]
    assert found == [["gmw/de"], ["ko"], ["roa/es", "roa/es-419"], ["gmw/en-US", "gmw/en-US-nyc"]]
    with pytest.raises(DataError, match=r"^data\.words is no, ä, ä; give each word once"):
        clean_words(["\u00e4", "no", "a\u0308"])
    with pytest.raises(DataError, match=r"^data\.language is german, .* choose a code that this command lists: python"):
        voices.find_accents("german")
