"""The rule of events, its detector, and the rule in the files of a network."""

import json
import math
import re

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.torch import save_file

from overlapped_words import RunError, load
from overlapped_words.export.export import export
from overlapped_words.inference.checkpoints import find_fitted
from overlapped_words.inference.events import Event, EventDetector, EventRule
from tests.helpers.composed import settings_of
from tests.helpers.fake_members import WORDS
from tests.helpers.fake_recordings import RATE, tone
from tests.helpers.networks import write_set_members
from tests.helpers.scripts import combine


def found(scores, **rule):
    """The events of one word with these presences in windows that start every 0.125 s."""
    detector = EventDetector(EventRule(**{"windows": 1, "threshold": 0.5, "refractory": 0.0, **rule}), ["a"])
    pushed = [detector.push(i / 8, i / 8 + 1, np.array([score])) for i, score in enumerate(scores)]
    return [(i, event) for i, events in enumerate(pushed) for event in events]


def test_a_word_is_an_event_when_it_reaches_the_threshold_in_enough_windows():
    ((index, event),) = found([0, 0.2, 0.5, 0.9, 0.6, 1, 1, 0], windows=3)
    assert index == 4 and event == Event(4 / 8, 2 / 8 + 1, "a", 0.9)
    assert not found([0, 0.9, 0.9, 0.4, 0.9, 0.9, 0], windows=3)
    assert not found([1, 1], windows=3)  # there have not been three windows


def test_an_utterance_is_one_event():
    assert [i for i, _ in found([0.6, 0.4, 0.6, 0.26, 0.6])] == [0]  # never below half of the threshold
    assert [i for i, _ in found([0.6, 0.2, 0.6, 0.2, 0.4, 0.6])] == [0, 2, 5]
    assert [i for i, _ in found([0.6, 0.2, 0.6, 0.2, 0.6], refractory=0.3)] == [0, 4]
    assert [i for i, _ in found([0.6, 0.2, 0.2, 0.6, 0.2, 0.6], refractory=0.25)] == [0, 3]


def test_words_have_their_own_thresholds_and_states():
    rule = EventRule(windows=1, threshold={"a": 0.9, "b": 0.2})
    detector = EventDetector(rule, ["b", "a"])
    pushed = [detector.push(i / 8, i / 8 + 1, np.array([0.5, score])) for i, score in enumerate([0.5, 0.95, 0.95])]
    assert [[event.word for event in events] for events in pushed] == [["b"], ["a"], []]
    with pytest.raises(RunError, match=r"events.threshold is for different words \(c\); give one per word"):
        EventDetector(rule, ["a", "b", "c"])


HOSTILE = [
    ({"hop": 0}, "events.hop is 0, not a number from 0.01 to 1"),
    ({"hop": math.nan}, "events.hop is nan"),
    ({"windows": 101}, "events.windows is 101, not a number from 1 to 100"),
    ({"windows": 2.0}, "events.windows is 2.0"),
    ({"windows": True}, "events.windows is True"),
    ({"refractory": -1}, "events.refractory is -1"),
    ({"threshold": "0.5"}, "events.threshold is '0.5', not a number from 0 to 1"),
    ({"threshold": {"yes": 2}}, "events.threshold is 2"),
    ({"threshold": {"maybe": 0.5}}, "events.threshold is for different words (maybe, no, thanks"),
    ({"windows": 9}, "9 windows every 0.125 s share nothing; lower one of events.windows, hop"),
]


def test_absurd_rules_of_a_file_are_named(set_sweep, tmp_path):
    path = export(
        settings_of("export", f"run_dir={set_sweep}", "format=safetensors", f"output={tmp_path}/a.safetensors")
    )
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        metadata = file.metadata()
    for rule, message in HOSTILE:
        save_file(tensors, path, metadata | {"events": json.dumps(rule)})
        with pytest.raises(RunError, match=f"^{path}: {re.escape(message)}"):
            load(path, "cpu")
    del metadata["events"]  # as in older files
    save_file(tensors, path, metadata)
    assert load(path, "cpu").rule() == EventRule()


def test_a_rule_of_ensemble_json_is_used_for_its_members_and_exported(tmp_path):
    write_set_members(tmp_path)
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


def test_presence_is_the_probability_over_all_sets(set_model):
    clips = np.stack([tone(hertz) for hertz in (200, 700, 3000)])
    presence, sets = set_model.presence(clips, RATE), set_model.word_sets(clips, RATE)
    assert list(presence) == WORDS and presence.to_numpy().dtype == np.float32
    expected_number = sets["num_words_1"] + 2 * sets["num_words_2"]
    np.testing.assert_allclose(presence.sum(axis=1), expected_number, atol=1e-5)
    one = set_model.presence(clips[0], RATE)
    assert one.name == "presence" and np.allclose(one, presence.iloc[0], atol=1e-5)
