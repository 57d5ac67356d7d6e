"""The teacher's answers take the place of the targets, before the student's step sees them."""

from pathlib import Path

import pytest
import torch
from lightning import Trainer
from torch import Tensor
from torch.utils.data import DataLoader

from errors import RunError
from lightning_modules.classifier import WordClassifier
from lightning_modules.teacher import Teacher
from tests.test_classifier import learner

FEATURES = torch.randn(4, 2, 64, 64, generator=torch.Generator().manual_seed(0))
TARGETS = torch.eye(3)[[0, 1, 2, 0]]


class Pupil(WordClassifier):
    """Keeps the targets that it is given to learn."""

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        self.seen = batch[1].clone()
        return super().training_step(batch, batch_idx)


def save(run_dir: Path, member: WordClassifier) -> WordClassifier:
    (run_dir / "checkpoints").mkdir(parents=True)
    content = {"state_dict": member.state_dict(), "hyper_parameters": dict(member.hparams)}
    torch.save(content | {"pytorch-lightning_version": "2.6.4"}, run_dir / "checkpoints/last.ckpt")
    (run_dir / "metrics.json").write_text('{"status": "complete", "pool": "avg", "seed": 0}')
    return member.eval()


@pytest.fixture
def members(tmp_path: Path) -> list[WordClassifier]:
    """Two members of a sweep in `tmp_path / "sweep"`."""
    torch.manual_seed(0)
    return [save(tmp_path / "sweep" / name, learner()) for name in ("avg_seed0", "avg_seed1")]


def fit(teacher: Teacher, **options) -> Pupil:
    pupil = Pupil(**dict(learner(**options).hparams))
    quiet = dict.fromkeys(("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary"), False)
    trainer = Trainer(max_steps=1, accelerator="cpu", callbacks=[teacher], **quiet)
    trainer.fit(pupil, DataLoader(list(zip(FEATURES, TARGETS, strict=True)), batch_size=4))
    return pupil


@pytest.mark.parametrize("weight", [1.0, 0.25])
def test_targets_are_the_mean_of_the_members(members, tmp_path, weight):
    pupil = fit(Teacher(str(tmp_path / "sweep"), weight))
    with torch.no_grad():
        answer = sum(member(FEATURES).exp() for member in members) / 2
    torch.testing.assert_close(pupil.seen, (1 - weight) * TARGETS + weight * answer)
    assert answer.std() > 0.01


def test_the_teacher_is_no_part_of_the_student(members, tmp_path):
    teacher = Teacher(str(tmp_path / "sweep"))
    pupil = fit(teacher)
    assert pupil.state_dict().keys() == members[0].state_dict().keys()
    assert not any(network.training for network in teacher.networks)


def test_teachers_that_do_not_fit(members, tmp_path):
    with pytest.raises(RunError, match=r"avg_seed0/checkpoints/last\.ckpt knows other words than the data"):
        fit(Teacher(str(tmp_path / "sweep")), class_names=["no", "on", "up"])
    other = {**members[0].hparams["features"], "hop_length": 200}
    with pytest.raises(RunError, match=r"other features than its student .*'hop_length': 250.*features\.\*="):
        fit(Teacher(str(tmp_path / "sweep")), features=other)
    with pytest.raises(RunError, match=r"nobody: no such file or folder"):
        fit(Teacher(str(tmp_path / "nobody")))
    for weight in (0, 1.5):
        with pytest.raises(RunError, match=r"callbacks\.teacher\.weight is"):
            Teacher("anywhere", weight)
