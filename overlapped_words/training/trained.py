"""Trained networks that a run begins with: an ensemble that teaches, or initial weights."""

import logging
from pathlib import Path

from lightning_modules.classifier import WordClassifier
from lightning_modules.teacher import Teacher
from overlapped_words.errors import RunError
from overlapped_words.inference.checkpoints import find_checkpoints
from overlapped_words.inference.member import load_member
from overlapped_words.inference.safetensors_file import read_trained
from overlapped_words.pretrained import PRETRAINED

log = logging.getLogger("train")


def load_teacher(run_dir: Path, student: WordClassifier, weight: float) -> Teacher:
    """The members in `run_dir` as the teacher of `student`.

    Raises:
        RunError: no complete member, or a member with different words or features than the student.
    """
    networks = []
    for path in find_checkpoints(run_dir):
        member = load_member(path)
        if member.class_names != student.class_names:
            raise RunError(f"{path} has different words than the data; train a teacher on the data's words")
        if member.feature_settings != student.hparams["features"]:
            raise RunError(
                f"{path} was trained on different features than the student ({member.feature_settings}); "
                "use the same for the student, features.*=..."
            )
        networks.append(member.network.folded())
    return Teacher(networks, weight)


def load_initial_weights(learner: WordClassifier, checkpoint: str) -> None:
    """Copy the weights of a trained network that have the same name and shape; others, as of other words, stay random.

    Args:
        learner: the new network.
        checkpoint: a checkpoint, a safetensors file, or "pretrained": the network that comes with the project.

    Raises:
        RunError: the file cannot be read, or was trained on other features.
    """
    path = PRETRAINED if checkpoint == "pretrained" else Path(checkpoint)
    trained = read_trained([path])[0][0]
    if trained.features != learner.hparams["features"]:
        raise RunError(f"{path} was trained on other features ({trained.features}); use the same, features.*=...")
    own = learner.state_dict()
    same = {name: weight for name, weight in trained.weights.items() if name in own and weight.shape == own[name].shape}
    if trained.class_names != learner.class_names:  # equal shapes are no reason to take the outputs for other words
        same = {
            name: weight for name, weight in same.items() if weight.shape[:1] != (learner.network.output.num_logits,)
        }
    learner.load_state_dict(own | same)
    log.info("starting from %s: %d of %d arrays of weights", path, len(same), len(own))
