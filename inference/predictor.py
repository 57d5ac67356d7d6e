"""Predict probabilities with one trained network or an ensemble."""

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from datamodules.waveforms import NUM_SAMPLES, from_int16
from ensembling.ensemble_file import RENEW, StackingWeights
from errors import RunError
from inference.member import TrainedNetwork, load_member
from inference.stacking import find_stacking_weights
from messages import count

MAX_SHIFT = 0.025  # seconds; larger time shifts were worse for one network in three


class Predictor(nn.Module):
    """Average the members' probabilities, or stack them.

    Waveforms `(B, T)` in [-1, 1] at `sample_rate` Hz, `num_samples` long -> probabilities `(B, num_classes)`, float32.

    Args:
        members: trained networks with the same class names.
        names: what messages call them.
        stacking: weights in the order of the members; None averages.
        tta: test-time augmentation: average over this many time shifts, from -MAX_SHIFT to MAX_SHIFT.

    Raises:
        RunError: members, or stacking weights, for different words.
    """

    num_samples = NUM_SAMPLES  # the length of training clips
    offsets: Tensor  # of the stacking weights, `(num_classes,)`

    def __init__(
        self,
        members: Sequence[TrainedNetwork],
        names: Sequence[str],
        stacking: StackingWeights | None = None,
        tta: int = 1,
    ) -> None:
        super().__init__()
        self.stacking = stacking
        self.class_names = members[0].class_names
        self.sample_rate = members[0].features.sample_rate
        seconds = torch.linspace(-MAX_SHIFT, MAX_SHIFT, tta).tolist() if tta > 1 else [0]
        self.shifts = [round(shift * self.sample_rate) for shift in seconds]
        for member, name in zip(members, names, strict=True):
            if member.class_names != self.class_names:
                raise RunError(
                    f"{name} has different words than {names[0]}; give members that were trained on the same words"
                )
        self.networks = nn.ModuleList(member.network.folded() for member in members)
        # Neighboring members with the same feature settings share one front end.
        self.front_ends = nn.ModuleList()
        self.groups: list[list[int]] = []  # of each front end, the indices of its networks
        for _, group in groupby(range(len(members)), key=lambda i: members[i].feature_settings):
            self.groups.append(list(group))
            self.front_ends.append(members[self.groups[-1][0]].features)
        if stacking:
            if set(stacking.offsets) != set(self.class_names):
                raise RunError(f"{names[0]}: its ensemble.json has stacking weights for different words; {RENEW}")
            self.weights = list(stacking.weights.values())
            # A checkpoint and a JSON file may list the words in different orders.
            self.register_buffer("offsets", torch.tensor([stacking.offsets[word] for word in self.class_names]))

    @property
    def summary(self) -> str:
        """The number of members, and whether they are stacked: `2 members, stacked`."""
        return count(len(self.networks), "member") + (", stacked" if self.stacking else "")

    @torch.inference_mode()
    def forward(self, waveforms: Tensor) -> Tensor:
        # Padding by (shift, -shift) cuts samples off at one end and appends zeros at the other.
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
        """Clips `(B, num_samples)` int16, as in training -> probabilities `(B, num_classes)` float32."""
        device = next(self.parameters()).device
        batches = torch.from_numpy(clips).split(batch_size)
        return torch.cat([self(from_int16(batch.to(device))).cpu() for batch in batches]).numpy()


def load_ensemble(checkpoints: Sequence[Path], device: str | torch.device = "auto", tta: int = 1) -> Predictor:
    """Load the members of `checkpoints` into one predictor, with the stacking weights that ensemble.py fitted to them.

    Args:
        checkpoints: the members' last.ckpt files.
        device: a device of PyTorch; "auto" is a GPU if there is one.
        tta: as for Predictor.

    Raises:
        RunError: a file is not a checkpoint, members have different words, or `tta` is not a positive integer.
    """
    if not isinstance(tta, int) or tta < 1:
        raise RunError(f"tta is {tta!r}; give the number of time shifts, 1 or more")
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    members, stacking = [load_member(file) for file in checkpoints], find_stacking_weights(checkpoints)
    return Predictor(members, [str(file) for file in checkpoints], stacking, tta).to(device)
