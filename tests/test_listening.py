"""Events of recordings and of streams of any blocks, in the API and from predict.py."""

import re
from itertools import chain

import numpy as np
import pandas as pd
import pytest

from datamodules.waveforms import to_int16
from overlapped_words import DataError, Model, RunError, load
from overlapped_words.inference.events import Event, EventRule
from overlapped_words.inference.listening import cut_windows, detect
from overlapped_words.inference.prediction import PredictedSets, Prediction
from overlapped_words.messages import clock, count
from tests.helpers.composed import run_predict
from tests.helpers.fake_recordings import RATE, speech, tone, write
from tests.helpers.networks import write_network


@pytest.mark.parametrize("network", [{}, {"output": "set", "k": [1, 2]}])
def test_models_that_do_not_know_silence_have_no_events(tmp_path, network):
    write_network(tmp_path, "avg", 0, **network)
    mixed = load(tmp_path, "cpu")
    for call in (mixed.events, mixed.listen):
        with pytest.raises(RunError, match=r"train them with model.output=set data.k=\[0,4\]"):
            call(speech(0), RATE)


class Level:
    """A predictor of one word, present where a window has samples above 0.5."""

    class_names, k = ["loud"], (0, 1)
    rule, has_events = EventRule(), True

    def eval(self):
        return self

    def predict_clips(self, clips):
        loud = (np.abs(clips.astype(float)).max(axis=1, keepdims=True) > 16384).astype(np.float32)
        return Prediction(loud, PredictedSets(0, loud, loud > 0, loud[:, 0], loud))


@pytest.mark.parametrize("seconds", [0.1, 0.4, 1, 1.3, 4.7])
@pytest.mark.parametrize("rule", [EventRule(), EventRule(hop=0.3, windows=1), EventRule(hop=0.07, windows=8)])
def test_a_word_at_the_edges_of_a_recording_is_found(seconds, rule):
    first = np.zeros(round(seconds * RATE), np.float32)
    for end in (0, -1):
        waveform = first.copy()
        waveform[end] = 0.9
        (event,) = [event for heard in detect(Level(), [waveform], rule) for event in heard.events]
        assert event.start_s <= len(waveform) / RATE * -end <= event.end_s + 1e-9
        assert 0 <= event.start_s <= event.end_s <= seconds


@pytest.mark.parametrize("word", [0.31, 1.0, 1.1249])
def test_an_event_is_out_half_a_second_after_the_word(word):
    waveform = np.zeros(3 * RATE, np.float32)
    waveform[round(word * RATE)] = 0.9
    blocks = iter(waveform.reshape(-1, 160))
    event = next(Model(Level()).listen(blocks))
    assert event.start_s <= word <= event.end_s and 3 - len(list(blocks)) / 100 <= word + 0.39


@pytest.mark.parametrize("rate", [RATE, 44_100])
def test_streams_of_any_blocks_give_the_events_of_the_recording(set_model, tmp_path, rate):
    rng = np.random.default_rng(0)
    pitches, levels = 2 ** rng.uniform(7, 12, 12), rng.uniform(0, 1, 12)
    tones = [level * tone(hertz, rate, 0.6) for hertz, level in zip(pitches, levels, strict=True)]
    samples = to_int16(np.concatenate(tones) + 1e-3 * rng.standard_normal(12 * len(tones[0])))
    expected = set_model.events(write(tmp_path / "talk.wav", samples, rate), threshold=0.3)
    assert len(expected) > 1 and list(expected) == ["start_s", "end_s", "word", "probability"]
    pd.testing.assert_frame_equal(set_model.events(samples, rate, threshold=0.3), expected, atol=1e-3)
    for size in (rate // 100, 4097, rate * 3):
        blocks = [samples[start : start + size] for start in range(0, len(samples), size)]
        listened = pd.DataFrame(set_model.listen([samples[:0], *blocks], rate, threshold=0.3))
        # Resampled in blocks, some samples round to another int16.
        pd.testing.assert_frame_equal(listened, expected, atol=1e-2)


def test_invalid_blocks_are_errors(set_model):
    for blocks, message in (
        ([np.zeros((2, 100))], r"block 0 has shape \(2, 100\); give blocks \(T,\) of one channel"),
        ([np.zeros(100), np.full(9, np.nan)], "sample 0 of waveform 1 is not a finite number"),
        ([np.zeros(100, int)], "dtype int64"),
    ):
        with pytest.raises(DataError, match=message):
            list(set_model.listen(blocks, RATE))
    with pytest.raises(RunError, match=r"events.threshold is 2, not a number from 0 to 1"):
        set_model.listen([], RATE, threshold=2)
    assert set_model.rule(np.float32(0.5)).threshold == 0.5
    none = set_model.events(np.zeros(RATE), RATE, threshold=1)
    assert none.dtypes.tolist() == pd.DataFrame([Event(0.0, 0.0, "", 0.0)]).dtypes.tolist()


def predict_table(sweep, folder, *overrides):
    run_predict(sweep, f"output={folder / 'a.csv'}", *overrides)
    return pd.read_csv(folder / "a.csv")


def test_predict_writes_the_events_of_a_folder(set_sweep, set_model, tmp_path, capsys):
    talks, silent = tmp_path / "talks", tmp_path / "talks" / "silent.wav"
    talks.mkdir()
    tones = [np.concatenate([tone(hertz) for hertz in pitches]) for pitches in ([200, 3000], [700, 150, 2000])]
    expected = [set_model.events(write(talks / f"{i}.wav", tones[i]), threshold=0.4) for i in (0, 1)]
    options = [f"input={talks}", "events=true", "threshold=0.4"]
    table = predict_table(set_sweep, tmp_path, *options)
    assert list(table) == ["id", "start_s", "end_s", "word", "probability"] and min(map(len, expected)) > 0
    assert list(table["id"]) == [i for i, events in enumerate(expected) for _ in range(len(events))]
    pd.testing.assert_frame_equal(table.drop(columns="id"), pd.concat(expected, ignore_index=True), atol=1e-6)
    assert capsys.readouterr().out == f"2 recordings, {len(table)} events, 2 members: {tmp_path / 'a.csv'}\n"
    before = (tmp_path / "a.csv").read_bytes()
    for shard in (0, 1):
        predict_table(set_sweep, tmp_path, *options, "shards=2", f"shard={shard}", "overwrite=true")
    assert (tmp_path / "a.csv").read_bytes() == before
    (talks / "0.wav").rename(silent)
    (talks / "1.wav").write_text("not audio")
    empty = predict_table(set_sweep, tmp_path, *options[:2], "threshold=1", "skip_unreadable=true", "overwrite=true")
    assert empty.empty and list(empty) == list(table)


def test_predict_prints_and_plots_the_events_of_a_recording(set_sweep, set_model, tmp_path, capsys):
    talk = write(tmp_path / "talk.wav", np.concatenate([tone(200), tone(3000)]))
    predict_table(set_sweep, tmp_path, f"input={talk}", "events=true", "threshold=0.4", "plot=true")
    *lines, total, plot = capsys.readouterr().out.splitlines()
    events = set_model.events(talk, threshold=0.4)
    expected = [(clock(e.start_s), e.word, f"{100 * e.probability:.0f} %") for e in events.itertuples()]
    assert [tuple(re.split("  +", line)) for line in lines] == expected and len(lines) > 0
    assert total.startswith(f"1 recording, {count(len(lines), 'event')}, 2 members")
    assert plot == f"1 plot: {tmp_path}/a.png" and (tmp_path / "a.png").exists()


def test_at_most_one_block_is_kept():
    read = []

    def blocks():
        for i in range(10):
            read.append(i)
            yield np.zeros(10 * RATE, np.float32)

    for start, _, window in chain.from_iterable(cut_windows(blocks(), RATE // 4)):
        assert len(read) <= start // (10 * RATE) + 2
        assert len(window) == RATE and len(window.base) <= 11 * RATE
