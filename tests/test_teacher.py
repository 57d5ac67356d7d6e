"""Training from trained networks: the predictions of a teacher, and initial weights."""

from pathlib import Path

import pytest
import torch
from lightning import Trainer
from torch.utils.data import DataLoader

from lightning_modules.classifier import WordClassifier
from lightning_modules.outputs import kl_divergence
from overlapped_words.errors import RunError
from overlapped_words.training.trained import load_initial_weights, load_teacher
from tests.helpers.fake_members import write_member
from tests.helpers.networks import FEATURES, QUIET, TARGETS, learner, save


@pytest.fixture
def members(tmp_path: Path) -> list[WordClassifier]:
    """The members of the sweep in `tmp_path`."""
    torch.manual_seed(0)
    learners = [learner().eval() for _ in range(2)]
    for i, member in enumerate(learners):
        save(member, write_member(tmp_path, "avg", i) / "checkpoints" / "last.ckpt")
    return learners


@pytest.mark.parametrize("weight", [1.0, 0.25])
def test_the_gradient_is_that_of_the_blended_targets(members, tmp_path, weight):
    student = learner()
    student.teacher = load_teacher(tmp_path, student, weight)
    batch = FEATURES, TARGETS.clone()
    student.log = lambda *args, **kwargs: None
    weights = student.network.dense[-1].weight
    (gradient,) = torch.autograd.grad(student.eval().training_step(batch, 0), weights)
    with torch.no_grad():
        predicted = sum(member(FEATURES).exp() for member in members) / 2
    assert predicted.std() > 0.01
    loss = kl_divergence(student(FEATURES), (1 - weight) * TARGETS + weight * predicted)
    torch.testing.assert_close(gradient, torch.autograd.grad(loss, weights)[0])
    assert torch.equal(batch[1], TARGETS)  # the batch stays as it is


def test_the_teacher_is_not_part_of_the_student(members, tmp_path):
    student = learner()
    student.teacher = load_teacher(tmp_path, student, 1.0)
    before = [weight.clone() for network in student.teacher.networks for weight in network.state_dict().values()]
    trainer = Trainer(max_steps=1, accelerator="cpu", **QUIET)
    trainer.fit(student, DataLoader(list(zip(FEATURES, TARGETS, strict=True)), batch_size=4))
    trainer.save_checkpoint(tmp_path / "student.ckpt")
    checkpoint = torch.load(tmp_path / "student.ckpt", weights_only=True)
    assert checkpoint["state_dict"].keys() == members[0].state_dict().keys()
    assert checkpoint["hyper_parameters"].keys() == members[0].hparams.keys()
    after = [weight for network in student.teacher.networks for weight in network.state_dict().values()]
    assert all(map(torch.equal, before, after))


def test_a_teacher_or_weights_that_do_not_fit_are_an_error(members, tmp_path, trained):
    with pytest.raises(RunError, match=r"avg_seed0/checkpoints/last\.ckpt has different words than the data"):
        load_teacher(tmp_path, learner(class_names=["no", "on", "up"]), 1.0)
    other = {**members[0].hparams["features"], "hop_length": 200}
    with pytest.raises(RunError, match=r"different features than the student .*'hop_length': 250.*features\.\*="):
        load_teacher(tmp_path, learner(features=other), 1.0)
    with pytest.raises(RunError, match=r"nobody: no such file or folder"):
        load_teacher(tmp_path / "nobody", learner(), 1.0)
    model = learner()
    model.hparams["features"] = {**model.hparams["features"], "n_mels": 81}
    with pytest.raises(RunError, match=r"trained\.ckpt was trained on other features .*; use the same, features\."):
        load_initial_weights(model, trained)


def test_weights_of_the_same_shape_that_would_compute_something_else_are_reported(trained, caplog):
    model = learner()
    model.hparams["network"] = {**model.hparams["network"], "time_pools": 0, "drop_rate": 0.5}
    load_initial_weights(model, trained)
    (warning,) = (record.getMessage() for record in caplog.records if record.levelname == "WARNING")
    assert warning.endswith("trained.ckpt was trained with model.time_pools=4; it is 0 here")


@pytest.fixture
def trained(tmp_path: Path) -> str:
    model = learner()
    for weight in model.parameters():
        weight.data.fill_(0.125)
    save(model, tmp_path / "trained.ckpt")
    return str(tmp_path / "trained.ckpt")


@pytest.mark.parametrize("words", [["nos", "ons", "oxen"], [*"abcd"]])
def test_all_weights_for_the_same_words_and_all_but_those_of_the_outputs_for_others(trained, words):
    model = learner()
    load_initial_weights(model, trained)
    assert all((weight == 0.125).all() for weight in model.parameters())
    model = learner(class_names=words)
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    load_initial_weights(model, trained)
    same = {name for name, weight in model.named_parameters() if torch.equal(weight, before[name])}
    assert same and all(before[name].shape[0] == len(words) for name in same)
    assert all((weight == 0.125).all() for name, weight in model.named_parameters() if name not in same)


def test_the_mean_of_several_networks(trained, tmp_path):
    model = learner()
    for weight in model.parameters():
        weight.data.fill_(0.375)
    save(model, tmp_path / "other.ckpt")
    load_initial_weights(model, [trained, str(tmp_path / "other.ckpt")])
    assert all((weight == 0.25).all() for weight in model.parameters())
    save(learner(class_names=[*"abcd"]), tmp_path / "other.ckpt")
    with pytest.raises(RunError, match=r"other\.ckpt has other words or weights of other sizes than .*trained\.ckpt"):
        load_initial_weights(model, [trained, str(tmp_path / "other.ckpt")])
