"""Predict probabilities with one trained network or an ensemble."""

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from datamodules.waveforms import NUM_SAMPLES, from_int16
from overlapped_words.ensembling.ensemble_file import RENEW, StackingWeights
from overlapped_words.errors import RunError
from overlapped_words.inference.member import TrainedNetwork, build_member
from overlapped_words.inference.prediction import Prediction, WordSets, concatenate, no_clips
from overlapped_words.inference.safetensors_file import read_trained
from overlapped_words.messages import count

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
    weights: Tensor  # stacking weights, `(members,)`
    offsets: Tensor  # of the words, `(num_classes,)`

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
        self.outputs: list[Any] = [network.output for network in self.networks]
        # Neighboring members with the same feature settings share one front end.
        self.front_ends = nn.ModuleList()
        self.groups: list[list[int]] = []  # of each front end, the indices of its networks
        for _, group in groupby(range(len(members)), key=lambda i: members[i].feature_settings):
            self.groups.append(list(group))
            self.front_ends.append(members[self.groups[-1][0]].features)
        if stacking:
            if set(stacking.offsets) != set(self.class_names):
                raise RunError(f"{names[0]}: its ensemble.json has stacking weights for different words; {RENEW}")
            self.register_buffer("weights", torch.tensor(list(stacking.weights.values())))
            # A checkpoint and a JSON file may list the words in different orders.
            self.register_buffer("offsets", torch.tensor([stacking.offsets[word] for word in self.class_names]))

    @property
    def summary(self) -> str:
        """The number of members, and whether they are stacked: `2 members, stacked`."""
        return count(len(self.networks), "member") + (", stacked" if self.stacking else "")

    @property
    def k(self) -> tuple[int, int] | None:
        """The minimum and maximum number of words in a clip; None unless all members predict sets of such words."""
        ks = {output.k for output in self.outputs}
        return ks.pop() if len(ks) == 1 else None

    @property
    def k_varies(self) -> bool:
        """Whether the members predict a number of words that differs from clip to clip."""
        return self.k is not None and self.k[0] < self.k[1]

    @property
    def columns(self) -> list[str]:
        """The names of `Prediction.columns`: the words and, if it varies, num_words_0, num_words_1, ..."""
        numbers = range(self.k[0], self.k[1] + 1) if self.k and self.k_varies else ()
        return [*self.class_names, *(f"num_words_{k}" for k in numbers)]

    @torch.inference_mode()
    def forward(self, waveforms: Tensor) -> Tensor:
        return self.to_probs(self.to_logits(waveforms))

    def to_logits(self, waveforms: Tensor) -> list[list[Tensor]]:
        """The logits of all members, for each time shift."""
        # Padding by (shift, -shift) cuts samples off at one end and appends zeros at the other.
        return [self._to_logits(F.pad(waveforms, (shift, -shift))) for shift in self.shifts]

    def _to_logits(self, waveforms: Tensor) -> list[Tensor]:
        logits = []
        for front_end, group in zip(self.front_ends, self.groups, strict=True):
            features = front_end(waveforms).contiguous(memory_format=torch.channels_last)
            networks: list[Any] = [self.networks[i] for i in group]
            logits += [network.logits(features).float() for network in networks]
        return logits

    def to_probs(self, logits: list[list[Tensor]]) -> Tensor:
        """The result of `to_logits` -> probabilities `(B, num_classes)`."""
        return torch.stack([self._to_probs(of_shift) for of_shift in logits]).mean(dim=0)

    def _to_probs(self, logits: list[Tensor]) -> Tensor:
        probs = torch.stack([output(own).exp() for output, own in zip(self.outputs, logits, strict=True)])
        if not self.stacking:
            return probs.mean(dim=0)
        log_probs = probs.clamp(min=self.stacking.floor).log()
        return (torch.einsum("m,mbc->bc", self.weights, log_probs) + self.offsets).softmax(dim=1)

    def num_words(self, logits: list[list[Tensor]]) -> Tensor:
        """The result of `to_logits` -> probabilities `(B, K)` of each number of words; not without `k`."""
        return torch.stack([output.log_num_words(own).exp() for output, own in self._pairs(logits)]).mean(dim=0)

    def _pairs(self, logits: list[list[Tensor]]) -> list[tuple[Any, Tensor]]:
        """The output and the logits of each member, for all time shifts."""
        return [pair for of_shift in logits for pair in zip(self.outputs, of_shift, strict=True)]

    def average_sets(self, logits: list[list[Tensor]], probs: Tensor) -> WordSets | None:
        """The mean distribution over sets of words, over members and time shifts; None if there is none.

        Args:
            logits: the result of `to_logits`.
            probs: the result of `to_probs`.
        """
        if self.k is None:
            return None
        # The candidates are the sets of the most probable words, one of each size.
        rank = probs.argsort(dim=1, descending=True).argsort(dim=1)
        candidates = torch.stack([rank < number for number in range(self.k[0], self.k[1] + 1)])  # (K, B, num_classes)
        set_probs = torch.stack(
            [
                torch.stack([output.log_prob(own, words) for words in candidates]).exp()
                for output, own in self._pairs(logits)
            ]
        ).mean(dim=0)  # (K, B)
        best = set_probs.argmax(dim=0)
        clips = torch.arange(len(best), device=best.device)
        sets = (self.num_words(logits), candidates[best, clips], set_probs[best, clips])
        return WordSets(self.k[0], *(tensor.cpu().numpy() for tensor in sets))

    @torch.inference_mode()
    def predict(self, waveforms: Tensor) -> Prediction:
        """Waveforms `(B, T)` -> the probabilities of the words and, if all members predict them, sets of words."""
        logits = self.to_logits(waveforms)
        probs = self.to_probs(logits)
        return Prediction(probs.cpu().numpy(), self.average_sets(logits, probs))

    def predict_clips(self, clips: np.ndarray, batch_size: int = 64) -> Prediction:
        """Predict clips `(B, num_samples)` int16, as in training; B may be 0."""
        if not len(clips):
            return no_clips(len(self.class_names), self.k)
        device = next(self.parameters()).device
        batches = torch.from_numpy(clips).split(batch_size)
        return concatenate([self.predict(from_int16(batch.to(device))) for batch in batches])


def load_ensemble(checkpoints: Sequence[Path], device: str | torch.device = "auto", tta: int = 1) -> Predictor:
    """Load the members of `checkpoints` into one predictor, with the stacking weights that ensemble.py fitted to them.

    Args:
        checkpoints: the members' last.ckpt files, or one safetensors file with all members.
        device: a device of PyTorch; "auto" is a GPU if there is one.
        tta: as for Predictor.

    Raises:
        RunError: a file is not a checkpoint, members have different words, or `tta` is not a positive integer.
    """
    if not isinstance(tta, int) or tta < 1:
        raise RunError(f"tta is {tta!r}; give the number of time shifts, 1 or more")
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    trained = read_trained(checkpoints)
    files = checkpoints if len(checkpoints) > 1 else [checkpoints[0]] * len(trained.members)
    members = [build_member(member, file) for member, file in zip(trained.members, files, strict=True)]
    return Predictor(members, [str(file) for file in files], trained.stacking, tta).to(device)
