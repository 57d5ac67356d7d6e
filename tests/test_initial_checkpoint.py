"""Training from the weights of a trained network."""

import pytest
import torch

from overlapped_words.errors import RunError
from overlapped_words.training.initial import load_initial_weights
from tests.helpers.networks import WORDS, learner, save


def weights(model):
    return {name: weight.clone() for name, weight in model.state_dict().items()}


@pytest.fixture
def trained(tmp_path):
    model = learner()
    with torch.no_grad():
        for weight in model.parameters():
            weight.fill_(0.125)
    save(model, tmp_path / "trained.ckpt")
    return str(tmp_path / "trained.ckpt")


def test_all_weights_for_the_same_words(trained):
    model = learner()
    load_initial_weights(model, trained)
    assert all((weight == 0.125).all() for weight in model.parameters())


@pytest.mark.parametrize("words", [[f"{word}s" for word in WORDS], [*WORDS, "another"]])
def test_all_weights_but_those_of_the_outputs_for_other_words(trained, words):
    model = learner(class_names=words)
    before = weights(model)
    load_initial_weights(model, trained)
    same = {name for name, weight in model.named_parameters() if torch.equal(weight, before[name])}
    assert same and all(before[name].shape[0] == len(words) for name in same)
    assert all((weight == 0.125).all() for name, weight in model.named_parameters() if name not in same)


def test_other_features_are_an_error(trained):
    model = learner()
    model.hparams["features"] = {**model.hparams["features"], "n_mels": 81}
    with pytest.raises(RunError, match=r"trained\.ckpt was trained on other features .*; use the same, features\."):
        load_initial_weights(model, trained)
