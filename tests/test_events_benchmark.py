"""The tables of the model card: mixtures by unseen speakers, and events with and without words."""

import numpy as np
import pytest

from benchmarks import events, unseen_speakers
from tests.helpers.fake_recordings import RATE, WORDS, speech, write
from tests.helpers.networks import write_network


@pytest.fixture
def model(tmp_path):
    return write_network(tmp_path / "run", "avg", 0, words=sorted(WORDS), output="set", k=[0, 4])


def run(module, monkeypatch, capsys, *arguments):
    monkeypatch.setattr("sys.argv", ["benchmark", *map(str, arguments)])
    module.main()
    printed = capsys.readouterr().out
    return printed, {row[0]: row[1:] for line in printed.splitlines() if (row := line.strip("| ").split(" | "))}


def test_mixtures_by_unseen_speakers(words, model, monkeypatch, capsys):
    monkeypatch.setattr(unseen_speakers, "SIZE", 10)
    printed, rows = run(unseen_speakers, monkeypatch, capsys, words, "--model", model)
    assert printed.startswith("48 recordings of words")
    assert float(rows["4 words"][0]) > 0 and rows["4 words"][1] == "100.0%"  # all four are in every clip


def test_events_per_hour_and_words_found(words, model, tmp_path, monkeypatch, capsys):
    (tmp_path / "talk" / "nested").mkdir(parents=True)
    write(tmp_path / "talk" / "nested" / "one.wav", speech(0, seconds=20))
    monkeypatch.setattr(events, "NUM_WORDS", 6)
    plot = tmp_path / "curve.png"
    printed, rows = run(
        events, monkeypatch, capsys, words, f"talk={tmp_path / 'talk'}", "--model", model, "--plot", plot
    )
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
