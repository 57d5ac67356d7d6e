"""From checkpoints to probabilities: one member or the mean of many, with no data, no configuration, no trainer."""

import logging
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

import torch
from torch import Tensor, nn

from lightning_modules.classifier import WordClassifier
from lightning_modules.run_folder import RunError, RunFolder

log = logging.getLogger(__name__)


class Predictor(nn.Module):
    """The mean of the members' probabilities; members with the same front end share its features.

    Waveforms `(B, T)` in [-1, 1] at `sample_rate` Hz, `num_samples` long -> probabilities `(B, num_classes)`, float32.

    Raises:
        RunError: members of different words.
    """

    num_samples = 16_000  # one second: what members are trained on

    def __init__(self, members: Sequence[WordClassifier], names: Sequence[str]) -> None:
        super().__init__()
        self.class_names = members[0].class_names
        self.sample_rate = members[0].hparams["features"]["sample_rate"]
        for member, name in zip(members, names, strict=True):
            if member.class_names != self.class_names:
                raise RunError(f"{name} knows other words than {names[0]}; an ensemble needs members of one data set")
        self.networks = nn.ModuleList(member.network.folded() for member in members)
        self.front_ends = nn.ModuleList()
        self.groups: list[list[int]] = []  # of each front end, its networks
        for _, group in groupby(range(len(members)), key=lambda i: members[i].hparams["features"]):
            self.groups.append(list(group))
            self.front_ends.append(members[self.groups[-1][0]].features)

    @torch.inference_mode()
    def forward(self, waveforms: Tensor) -> Tensor:
        total = torch.zeros(waveforms.shape[0], len(self.class_names), device=waveforms.device)
        for front_end, group in zip(self.front_ends, self.groups, strict=True):
            features = front_end(waveforms).contiguous(memory_format=torch.channels_last)
            for i in group:
                total += self.networks[i](features).float().exp()
        return total / len(self.networks)


def load(path: str | Path, device: str | torch.device = "cpu") -> Predictor:
    """A checkpoint, a run's folder or a sweep's folder (all its complete members) -> the predictor.

    Raises:
        RunError: no checkpoint there, or a file that is none.
    """
    return load_ensemble(find_checkpoints(Path(path)), device)


def load_ensemble(checkpoints: Sequence[Path], device: str | torch.device = "cpu") -> Predictor:
    """The members of `checkpoints` as one predictor; raises what `load` raises."""
    return Predictor([load_member(file) for file in checkpoints], [str(file) for file in checkpoints]).to(device)


def find_checkpoints(path: Path) -> list[Path]:
    """The last checkpoints of the runs in `path`; members of a sweep that are not complete are named and left out."""
    if path.is_file():
        return [path]
    if (alone := RunFolder(path)).last_checkpoint.exists():
        return [alone.last_checkpoint]
    members = [RunFolder(folder) for folder in sorted(path.glob("*")) if RunFolder(folder).metrics]
    complete = [member for member in members if member.metrics["status"] == "complete"]
    for member in members:
        if member not in complete:
            log.warning("left out, not complete: %s", member.path)
    if not complete:
        what = "no such file or folder" if not path.exists() else "no checkpoint of a complete run in it"
        raise RunError(f"{path}: {what}; give a folder that train.py made, or a checkpoint")
    return [member.last_checkpoint for member in complete]


def load_member(checkpoint: Path) -> WordClassifier:
    """One network from its checkpoint alone, on the CPU.

    Raises:
        RunError: missing, or not a checkpoint of this program.
    """
    try:
        return WordClassifier.load_from_checkpoint(checkpoint, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise RunError(f"{checkpoint}: no such file; train the member again") from error
    except Exception as error:  # bytes that are no checkpoint make torch.load raise anything
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise RunError(f"{checkpoint}: not a checkpoint of train.py, or a damaged one ({reason})") from error
