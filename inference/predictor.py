"""From checkpoints to probabilities: one member or the mean of many, with no data, no configuration, no trainer."""

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ensembling.ensemble_file import RENEW, StackingWeights
from errors import RunError
from inference.member import load_member
from inference.stacking import find_stacking_weights
from lightning_modules.classifier import WordClassifier
from messages import count

MAX_SHIFT = 0.025  # seconds that test-time augmentation shifts by at most; farther was worse for one network in three


class Predictor(nn.Module):
    """Average the members' probabilities, or stack them. Members with the same front end share its features.

    With `tta` (test-time augmentation) of more than 1, the mean over so many time shifts, from -MAX_SHIFT to MAX_SHIFT.

    Waveforms `(B, T)` in [-1, 1] at `sample_rate` Hz, `num_samples` long -> probabilities `(B, num_classes)`, float32.

    Raises:
        RunError: members of different words.
    """

    num_samples = 16_000  # one second: what members are trained on
    offsets: Tensor  # of a stack, by word

    def __init__(
        self,
        members: Sequence[WordClassifier],
        names: Sequence[str],
        stacking: StackingWeights | None = None,
        tta: int = 1,
    ) -> None:
        super().__init__()
        self.stacking = stacking
        self.class_names = members[0].class_names
        self.sample_rate = members[0].hparams["features"]["sample_rate"]
        seconds = torch.linspace(-MAX_SHIFT, MAX_SHIFT, tta).tolist() if tta > 1 else [0]
        self.shifts = [round(shift * self.sample_rate) for shift in seconds]
        for member, name in zip(members, names, strict=True):
            if member.class_names != self.class_names:
                raise RunError(f"{name} knows other words than {names[0]}; an ensemble needs members of one data set")
        self.networks = nn.ModuleList(member.network.folded() for member in members)
        self.front_ends = nn.ModuleList()
        self.groups: list[list[int]] = []  # of each front end, its networks
        for _, group in groupby(range(len(members)), key=lambda i: members[i].hparams["features"]):
            self.groups.append(list(group))
            self.front_ends.append(members[self.groups[-1][0]].features)
        if stacking:
            if set(stacking.offsets) != set(self.class_names):
                raise RunError(
                    f"{names[0]}: the stacking weights in its ensemble.json are for different words; {RENEW}"
                )
            self.weights = list(stacking.weights.values())
            offsets = torch.tensor([stacking.offsets[word] for word in self.class_names])
            self.register_buffer("offsets", offsets)

    @property
    def summary(self) -> str:
        """How many members there are, and how they become one where that is not by their mean."""
        return count(len(self.networks), "member") + (", stacked" if self.stacking else "")

    @torch.inference_mode()
    def forward(self, waveforms: Tensor) -> Tensor:
        # What a shift moves out is cut off, and zeros come in on the other side.
        return torch.stack([self._probs(F.pad(waveforms, (shift, -shift))) for shift in self.shifts]).mean(dim=0)

    def _probs(self, waveforms: Tensor) -> Tensor:
        total = torch.zeros(waveforms.shape[0], len(self.class_names), device=waveforms.device)
        for front_end, group in zip(self.front_ends, self.groups, strict=True):
            features = front_end(waveforms).contiguous(memory_format=torch.channels_last)
            for i in group:
                probs = self.networks[i](features).float().exp()
                total += self.weights[i] * probs.clamp(min=self.stacking.floor).log() if self.stacking else probs
        return (total + self.offsets).softmax(dim=1) if self.stacking else total / len(self.networks)

    def predict_clips(self, clips: np.ndarray, batch_size: int = 64) -> np.ndarray:
        """Clips as the training has them, `(B, num_samples)` int16 -> probabilities `(B, num_classes)` float32."""
        device = next(self.parameters()).device
        batches = torch.from_numpy(clips).split(batch_size)
        return torch.cat([self(batch.to(device).float() / 32768).cpu() for batch in batches]).numpy()


def load_ensemble(checkpoints: Sequence[Path], device: str | torch.device = "auto", tta: int = 1) -> Predictor:
    """The members of `checkpoints` as one predictor, stacked if ensemble.py did so; "auto" is a GPU where there is one.

    Raises:
        RunError: a file that is no checkpoint, members of different words, or a `tta` that is no number of shifts.
    """
    if not isinstance(tta, int) or tta < 1:
        raise RunError(f"tta is {tta!r}; give a whole number of time shifts from 1 on")
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    names = [str(file) for file in checkpoints]
    return Predictor([load_member(file) for file in checkpoints], names, find_stacking_weights(checkpoints), tta).to(
        device
    )
