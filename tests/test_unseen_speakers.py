"""The tables of the model card: the speakers that the run held out, and clips with and without words."""

import re

import numpy as np
import pytest
import yaml

from benchmarks import unseen_speakers
from datamodules.audio_files import list_recordings
from tests.helpers.data_modules import load_words
from tests.helpers.fake_recordings import WORDS, write_word_folder
from tests.helpers.networks import write_network

DATA = {"speaker_regex": "^([^_]+)_", "val_fraction": 0.3, "test_fraction": 0.2, "fold": None, "split_seed": 0}


@pytest.fixture
def run_dir(words, tmp_path):
    """A run on a word folder that could have up to four words."""
    other = write_word_folder(tmp_path / "other", ["yes"])
    folder = write_network(tmp_path / "run", "avg", 0, words=sorted(WORDS), output="set", k=[0, 4])
    settings = {"data": {**DATA, "root": str(words), "unknown": str(other)}}
    (folder / ".hydra" / "config.yaml").write_text(yaml.safe_dump(settings))
    return folder


def test_the_speakers_are_those_that_the_run_held_out(words, cache_dir, run_dir):
    data = yaml.safe_load((run_dir / ".hydra" / "config.yaml").read_text())["data"]
    recordings = unseen_speakers.held_out(data)
    splits = load_words(words, cache_dir, k=(0, 2), val_fraction=0.3, test_fraction=0.2, unknown=data["unknown"])
    assert splits.sizes["test"]["recordings"] == sum(map(len, recordings.words)) + len(recordings.others)
    assert recordings.num_speakers == splits.sizes["test"]["speakers"] == 1
    assert recordings.scarce == [0, 1, 2, 3] and len(list_recordings(words / "left")) == 12
    rows = np.concatenate(recordings.words)
    training = np.concatenate(splits.train.mixer.words)
    same = (recordings.array[rows, None] == splits.train.array[training]).all(axis=2)
    assert not same.any()


def test_the_tables(run_dir, monkeypatch, capsys):
    monkeypatch.setattr(unseen_speakers, "SIZE", 10)
    monkeypatch.setattr("sys.argv", ["unseen_speakers", str(run_dir)])
    unseen_speakers.main()
    printed = capsys.readouterr().out
    assert printed.startswith("1 unseen speakers, 8 recordings of words\n")
    rows = {row[0]: row[1:] for line in reversed(printed.splitlines()) if (row := line.strip("| ").split(" | "))}
    assert float(rows["4 words"][0]) > 0 and rows["4 words"][2] == "100.0%"  # all four are in every clip
    assert float(rows["2 words"][1]) == pytest.approx(np.log(2), abs=1e-3)
    assert re.fullmatch(r"[\d.]+%", rows["noise, white to brown"][0])
    assert {"other words", "words played backward", "1 word, noise 10 dB below a word"} <= rows.keys()
