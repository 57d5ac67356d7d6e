"""Members that predict sets of words: the most likely set, the number of words, and where they are shown."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from datamodules.waveforms import from_int16, to_int16
from overlapped_words import RunError, load
from overlapped_words.inference.predictor import load_predictor
from tests.helpers.composed import run_predict
from tests.helpers.fake_members import WORDS
from tests.helpers.fake_recordings import RATE, tone, write
from tests.helpers.networks import write_network

TONES = np.stack([tone(hertz) for hertz in 2 ** np.linspace(7, 12, 12)])
CLIPS = from_int16(torch.from_numpy(to_int16(TONES))).numpy()  # the noise of rounding changes their features
SETS = [chosen for k in range(3) for chosen in combinations(range(len(WORDS)), k)]


@torch.inference_mode()
def set_probs(folder: Path) -> np.ndarray:
    """The probability of each of SETS, `(clips, sets)`, from the logits of the members."""
    predictor = load_predictor(sorted(folder.glob("**/last.ckpt")), "cpu")
    total = 0
    for z in predictor.to_logits(torch.from_numpy(CLIPS)):
        scores, biases = z[:, : len(WORDS)], z[:, len(WORDS) :]
        logits = [scores[:, list(chosen)].sum(dim=1) + biases[:, len(chosen)] for chosen in SETS]
        total = total + torch.stack(logits, dim=1).softmax(dim=1) / len(predictor.networks)
    return total.numpy()


def test_members_are_averaged_and_one_predicts_its_most_likely_set(set_sweep, set_model):
    probs, sets, shares = set_probs(set_sweep), set_model.word_sets(CLIPS, RATE), set_model(CLIPS, RATE)
    assert list(sets) == ["words", "probability", "num_words_0", "num_words_1", "num_words_2"]
    for k in range(3):
        of_size = probs[:, [len(chosen) == k for chosen in SETS]].sum(axis=1)
        np.testing.assert_allclose(sets[f"num_words_{k}"], of_size, atol=1e-5)
    presence = set_model.presence(CLIPS, RATE)
    of_word = [probs[:, [i in chosen for chosen in SETS]].sum(axis=1) for i in range(len(WORDS))]
    assert list(presence) == WORDS and presence.to_numpy().dtype == np.float32
    np.testing.assert_allclose(presence, np.stack(of_word, axis=1), atol=1e-5)
    chosen = [SETS.index(tuple(sorted(map(WORDS.index, words)))) for words in sets["words"]]
    np.testing.assert_allclose(sets["probability"], probs[range(len(CLIPS)), chosen], atol=1e-5)
    for i, words in enumerate(sets["words"]):
        assert words == sorted(words, key=lambda word: -shares.loc[i, word])  # the most probable word first
    probs = set_probs(set_sweep / "avg_seed0")
    sets = load(set_sweep / "avg_seed0", "cpu").word_sets(CLIPS, RATE)
    assert sets["words"].map(sorted).tolist() == [sorted(WORDS[i] for i in SETS[best]) for best in probs.argmax(axis=1)]
    assert len(set(map(tuple, sets["words"]))) > 1


def test_one_clip_gives_one_set_and_a_timeline_sums_to_the_probability_of_any_word(set_model, tmp_path):
    clip = write(tmp_path / "clip.wav", CLIPS[0])
    one = set_model.word_sets(clip)
    assert isinstance(one, pd.Series) and one["words"] == set_model.word_sets(CLIPS[:1], RATE)["words"][0]
    assert set_model.word_sets([clip]).index.tolist() == [str(clip)] and set_model.presence(clip).name == "presence"
    assert set_model([]).shape == (0, len(WORDS)) and set_model.word_sets([]).shape == (0, 5)
    timeline = set_model.timeline(np.concatenate(CLIPS[:3]), RATE, hop=1)
    expected = 1 - set_model.word_sets(CLIPS[:3], RATE)["num_words_0"]
    np.testing.assert_allclose(timeline.sum(axis=1), expected, atol=1e-4)


@pytest.mark.parametrize("network", [{}, {"output": "set", "k": [1, 2]}])
def test_members_that_predict_different_sets_predict_none(tmp_path, network):
    write_network(tmp_path, "avg", 0, output="set", k=[0, 2])
    write_network(tmp_path, "max", 0, **network)
    mixed = load(tmp_path, "cpu")
    assert mixed(CLIPS[0], RATE).sum() == pytest.approx(1, abs=1e-6)
    with pytest.raises(RunError, match=r"all trained with model\.output=set.*call the model itself"):
        mixed.word_sets(CLIPS[0], RATE)


def test_predict_prints_that_there_are_no_words_or_their_presence(tmp_path, capsys, set_sweep, set_model):
    file = write_network(tmp_path, "avg", 0, output="set", k=[0, 2]) / "checkpoints" / "last.ckpt"
    checkpoint = torch.load(file, weights_only=True)
    biases = [key for key in checkpoint["state_dict"] if key.endswith("bias")][-1]
    checkpoint["state_dict"][biases][len(WORDS)] += 100  # of no words
    torch.save(checkpoint, file)
    clip = write(tmp_path / "clip.wav", CLIPS[0])
    run_predict(tmp_path, f"input={clip}")
    assert capsys.readouterr().out.splitlines()[1] == "  most likely: none of the words (100.0%)"
    run_predict(set_sweep, f"input={write(tmp_path / 'clip.wav', CLIPS[0])}", "top=2")
    likely = set_model.presence(CLIPS[0], RATE).nlargest(2)
    lines = capsys.readouterr().out.splitlines()[2:]
    assert [line.split()[:2] for line in lines] == [[word, f"{prob:.1%}"] for word, prob in likely.items()]


def test_a_table_has_the_number_of_words_and_the_most_likely_set(set_sweep, set_model, tmp_path):
    paths = [write(tmp_path / f"{i}.wav", CLIPS[i]) for i in range(3)]
    run_predict(set_sweep, f"input={tmp_path}", f"output={tmp_path / 'table.csv'}")
    table, sets = pd.read_csv(tmp_path / "table.csv", keep_default_na=False), set_model.word_sets(paths)
    numbers = ["num_words_0", "num_words_1", "num_words_2"]
    assert list(table) == ["id", *WORDS, *numbers, "words"]
    np.testing.assert_allclose(table[WORDS], set_model(paths), atol=1e-6)
    np.testing.assert_allclose(table[numbers], sets[numbers], atol=1e-6)
    assert table["words"].tolist() == [";".join(words) for words in sets["words"]]
