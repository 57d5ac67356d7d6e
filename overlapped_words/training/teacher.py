"""Load the ensemble that teaches in a distillation."""

from pathlib import Path

from lightning_modules.classifier import WordClassifier
from lightning_modules.teacher import Teacher
from overlapped_words.errors import RunError
from overlapped_words.inference.checkpoints import find_checkpoints
from overlapped_words.inference.member import load_member


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
