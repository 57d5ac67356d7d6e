"""Start from the weights of a trained network."""

import logging
from pathlib import Path

from lightning_modules.classifier import WordClassifier
from overlapped_words.errors import RunError
from overlapped_words.inference.safetensors_file import read_trained
from overlapped_words.pretrained import PRETRAINED

log = logging.getLogger("train")


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
