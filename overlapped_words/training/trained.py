"""Trained networks that a run begins with: an ensemble that teaches, or initial weights."""

import logging
from collections.abc import Sequence
from pathlib import Path

import torch

from lightning_modules.classifier import WordClassifier
from lightning_modules.teacher import Teacher
from overlapped_words.errors import RunError
from overlapped_words.inference.checkpoints import find_checkpoints
from overlapped_words.inference.member import Checkpoint, build_member, read_checkpoint
from overlapped_words.inference.safetensors_file import read_trained
from overlapped_words.pretrained import PRETRAINED
from overlapped_words.settings.saved import differences

log = logging.getLogger("train")


def load_teacher(run_dir: Path, student: WordClassifier, weight: float) -> Teacher:
    """The members in `run_dir` as a teacher; a RunError if none is complete, or words or features differ."""
    networks = []
    for path in find_checkpoints(run_dir):
        member = build_member(read_checkpoint(path), path)
        if member.class_names != student.class_names:
            raise RunError(f"{path} has different words than the data; train a teacher on the data's words")
        if member.feature_settings != student.hparams["features"]:
            raise RunError(
                f"{path} was trained on different features than the student ({member.feature_settings}); "
                "use the same for the student, features.*=..."
            )
        networks.append(member.network.folded())
    return Teacher(networks, weight)


def load_initial_weights(learner: WordClassifier, checkpoint: str | Sequence[str]) -> None:
    """Copy the weights of a trained network that have the same name and shape; others, as of other words, stay random.

    It may be a safetensors file, or "pretrained": the network that comes with the project. Of several, it is the mean
    (a model soup, arXiv 2203.05482).

    Raises:
        RunError: a file cannot be read, was trained on other features, or is another network than the first.
    """
    names = [checkpoint] if isinstance(checkpoint, str) else checkpoint
    paths = [PRETRAINED if name == "pretrained" else Path(name) for name in names]
    networks = [read_trained([path])[0][0] for path in paths]
    first = networks[0]
    for path, each in zip(paths, networks, strict=True):
        if each.features != learner.hparams["features"]:
            raise RunError(f"{path} was trained on other features ({each.features}); use the same, features.*=...")
        if (each.class_names, shapes(each)) != (first.class_names, shapes(first)):
            raise RunError(f"{path} has other words or weights of other sizes than {paths[0]}; they have no mean")
    own, new_words = learner.state_dict(), first.class_names != learner.class_names
    weights = {}
    for name in own.keys() & first.weights.keys():
        mean = torch.stack([each.weights[name].double() for each in networks]).mean(dim=0)
        # Equal shapes are no reason to take the outputs for other words.
        of_words = new_words and mean.shape[:1] == (learner.network.output.num_logits,)
        if mean.shape == own[name].shape and not of_words:
            weights[name] = mean
    learner.load_state_dict(own | weights)
    # With another pool, for example, weights of the same shape compute something else.
    for name, theirs, ours in differences({"model": first.network}, {"model": learner.hparams["network"]}):
        if name not in ("model.drop_rate", "model.k", "model.output"):
            log.warning("%s was trained with %s=%s; it is %s here", paths[0], name, theirs, ours)
    log.info("starting from %s: %d of %d arrays of weights", ", ".join(map(str, paths)), len(weights), len(own))


def shapes(network: Checkpoint) -> dict[str, torch.Size]:
    """The shapes of a network's arrays of weights."""
    return {name: weight.shape for name, weight in network.weights.items()}
