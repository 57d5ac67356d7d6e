"""Word folders that cannot be used give an error that says what to correct."""

import re
import shutil

import pytest

from datamodules.sources import WordFolder
from overlapped_words.errors import DataError
from tests.helpers.data_modules import load_error, load_words

BAD_WORDS = [  # change to a good folder, settings, message
    (shutil.rmtree, {}, r"^{root}: no such folder; set data\.root to a folder with one subfolder per word$"),
    (
        lambda root: [shutil.rmtree(root), root.mkdir()],
        {},
        r"^{root}: contains no recordings in subfolders; add one subfolder per word$",
    ),
    (
        lambda root: (root / "empty").mkdir(),
        {},
        r"^{root}/empty: contains no recordings; add some or remove the folder$",
    ),
    (lambda root: None, {"k": 5}, r"^data\.k is 5, but {root} has 4 words; choose 1 to 4$"),
    (lambda root: None, {"k": (3, 2)}, r"^data\.k is \[3, 2\], but {root} has 4 words; choose 1 to 4$"),
    (lambda root: None, {"k": 0}, r"^data\.k is 0, but {root} has 4 words; choose 1 to 4$"),
    (
        lambda root: (root / "left/ann_0.wav").rename(root / "left/ann.wav"),
        {},
        r"^{root}/left/ann\.wav: data\.speaker_regex .* does not match the file name; rename the file or use an expr",
    ),
    (
        lambda root: (root / "left/ann_0.wav").write_bytes(b"no sound"),
        {},
        r"^1 of 48 .*\n{root}/left/ann_0\.wav: cannot be read as audio .*; replace it or remove it$",
    ),
    (
        lambda root: (root / "up").rename(root / "id"),
        {},
        r"^{root}: a word is named id, but tables have the columns id, .*; give the word another name$",
    ),
    (
        lambda root: [(root / name).mkdir() for name in ("\uc544", "\u110b\u1161")],
        {},
        r"^{root}/\uc544: the same word as '\\u110b\\u1161'; move the recordings into one folder$",
    ),
]


@pytest.mark.parametrize(("spoil", "options", "message"), BAD_WORDS)
def test_bad_word_folders(words, cache_dir, spoil, options, message):
    spoil(words)
    error = load_error(WordFolder(words, **{"k": 2, **options}), cache_dir)
    assert re.search(message.replace("{root}", re.escape(str(words))), error)


def test_a_word_without_recordings_in_a_split(words, cache_dir):
    for path in (words / "left").iterdir():
        if not path.name.startswith("ann"):
            path.unlink()
    with pytest.raises(DataError, match=f"^{words}/left: no recordings by speakers of the .* 6 speakers: ann"):
        load_words(words, cache_dir)
    for path in words.glob("*/*.wav"):  # one speaker cannot be in three splits
        if not path.name.startswith("ann"):
            path.unlink()
    with pytest.raises(DataError, match="no recordings by speakers of the train split"):
        load_words(words, cache_dir)
    assert len(load_words(words, cache_dir, val_fraction=0, test_fraction=0).train) == 60


def test_a_pattern_that_matches_the_word_instead_of_the_speaker(words, cache_dir):
    """The default pattern does so for the Free Spoken Digit Dataset, 0_george_0.wav."""
    for path in words.glob("*/*.wav"):
        path.rename(path.with_name(f"{path.parent.name}_{path.name}"))
    message = load_error(WordFolder(words, k=2), cache_dir)
    assert "data.speaker_regex (^([^_]+)_) finds 4 speakers: down, left, right and 1 more; correct it" in message
    assert load_words(words, cache_dir, speaker_regex=r"_(\w+)_").sizes["val"]["speakers"] == 1


def test_a_competition_with_different_words(words, competition, cache_dir):
    (words / "up").rename(words / "upwards")
    error = load_error(WordFolder(words, k=2, submission=competition), cache_dir)
    assert error.endswith(
        "columns differ from the training recordings: missing upwards; unknown up; use the same header"
    )
