"""Predict probabilities with one trained network or an ensemble."""

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from datamodules.waveforms import NUM_SAMPLES, from_int16
from lightning_modules.network import Network
from lightning_modules.outputs import WordSets
from overlapped_words.ensembling.ensemble_file import RENEW, StackingWeights
from overlapped_words.errors import RunError, SettingError
from overlapped_words.inference.events import EventRule
from overlapped_words.inference.member import TrainedNetwork, build_member
from overlapped_words.inference.prediction import PredictedSets, Prediction, concatenate
from overlapped_words.inference.safetensors_file import read_trained
from overlapped_words.messages import count, first_names
from overlapped_words.threads import ThreadTuner

BATCH_SIZE = 64


class Predictor(nn.Module):
    """Average the members' probabilities, or stack them.

    Waveforms `(B, NUM_SAMPLES)` in [-1, 1] at SAMPLE_RATE -> probabilities `(B, num_classes)`, float32.

    Args:
        members: trained networks with the same class names.
        names: what messages call them.
        stacking: weights in the order of the members; None averages.
        rule: when a word is an event; None is the default rule.

    Raises:
        RunError: members, stacking weights, or thresholds of the rule for different words.
    """

    tuner: ThreadTuner | None = None  # of the number of CPU threads
    k: tuple[int, int] | None  # fewest and most words of a clip; None unless all members predict sets of such words
    weights: Tensor  # stacking weights, `(members,)`
    offsets: Tensor  # of the words, `(num_classes,)`

    def __init__(
        self,
        members: Sequence[TrainedNetwork],
        names: Sequence[str],
        stacking: StackingWeights | None = None,
        rule: EventRule | None = None,
    ) -> None:
        super().__init__()
        self.names, self.stacking, self.rule = names, stacking, rule or EventRule()
        self.class_names = members[0].class_names
        for member, name in zip(members, names, strict=True):
            if member.class_names != self.class_names:
                raise RunError(
                    f"{name} has different words than {names[0]}; give members that were trained on the same words"
                )
        # Neighboring members with the same feature settings share one front end, and are one group.
        groups = [list(group) for _, group in groupby(members, key=lambda member: member.feature_settings)]
        self.front_ends = nn.ModuleList(group[0].features for group in groups)
        self.groups: list[list[Network]] = [[member.network.folded() for member in group] for group in groups]
        self.networks = nn.ModuleList(network for group in self.groups for network in group)
        self.outputs: list[Any] = [network.output for group in self.groups for network in group]
        ks = {output.k for output in self.outputs}
        self.k = ks.pop() if len(ks) == 1 else None
        try:
            self.rule.thresholds(self.class_names)
        except RunError as error:
            raise RunError(f"{names[0]}: {error}") from error
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
    def has_events(self) -> bool:
        """Whether an `EventRule` applies: the members predict sets of words, and none of the words is one of these."""
        return self.k is not None and self.k[0] == 0

    @torch.inference_mode()
    def forward(self, waveforms: Tensor) -> Tensor:
        return self.to_probs(self.to_logits(waveforms))

    def to_logits(self, waveforms: Tensor) -> list[Tensor]:
        """The logits of each member, `(B, num_logits)`."""
        logits = []
        for front_end, group in zip(self.front_ends, self.groups, strict=True):
            features = front_end(waveforms).contiguous(memory_format=torch.channels_last)
            logits += [network.logits(features).float() for network in group]
        return logits

    def to_probs(self, logits: list[Tensor]) -> Tensor:
        """The result of `to_logits` -> probabilities of the words, `(B, num_classes)`."""
        probs = torch.stack([output(own).exp() for output, own in zip(self.outputs, logits, strict=True)])
        if not self.stacking:
            return probs.mean(dim=0)
        log_probs = probs.clamp(min=self.stacking.floor).log()
        return (torch.einsum("m,mbc->bc", self.weights, log_probs) + self.offsets).softmax(dim=1)

    def to_num_words(self, logits: list[Tensor]) -> Tensor:
        """The result of `to_logits` -> probabilities `(B, K)` of each number of words; only if `k` is not None."""
        return self._mean(lambda output, own: output.log_num_words(own).exp(), logits)

    def to_presence(self, logits: list[Tensor]) -> Tensor:
        """The result of `to_logits` -> the probability `(B, num_classes)` of each word; only if `k` is not None."""
        return self._mean(WordSets.presence, logits)

    def _mean(self, function: Callable[[WordSets, Tensor], Tensor], logits: list[Tensor]) -> Tensor:
        """The mean over the members of a function of a member's output and its logits."""
        return torch.stack(list(map(function, self.outputs, logits))).mean(dim=0)

    def to_sets(self, logits: list[Tensor], probs: Tensor) -> PredictedSets:
        """The members' mean distribution over sets of words, from `to_logits` and `to_probs`; not without `k`."""
        assert self.k is not None
        # The candidates are the sets of the most probable words, one of each size.
        rank = probs.argsort(dim=1, descending=True).argsort(dim=1)
        candidates = torch.stack([rank < number for number in range(self.k[0], self.k[1] + 1)])  # (K, B, num_classes)
        set_probs = self._mean(
            lambda output, own: torch.stack([output.log_prob(own, words) for words in candidates]).exp(), logits
        )  # (K, B)
        best = set_probs.argmax(dim=0)
        clips = torch.arange(len(best), device=best.device)
        best_sets = candidates[best, clips], set_probs[best, clips]
        sets = (self.to_num_words(logits), *best_sets, self.to_presence(logits))
        return PredictedSets(self.k[0], *(tensor.cpu().numpy() for tensor in sets))

    @torch.inference_mode()
    def predict(self, waveforms: Tensor) -> Prediction:
        """Waveforms `(B, T)` -> the probabilities of the words and, if all members predict them, sets of words.

        Raises:
            RunError: the probabilities are not finite.
        """
        logits = self.to_logits(waveforms)
        probs = self.to_probs(logits)
        if not probs.isfinite().all():
            raise RunError(f"{first_names(self.names)}: no finite probabilities, a weight is too large; train it again")
        if self.tuner:
            self.tuner.step()
        return Prediction(probs.cpu().numpy(), self.to_sets(logits, probs) if self.k else None)

    def predict_clips(self, clips: np.ndarray) -> Prediction:
        """Predict clips `(B, NUM_SAMPLES)` int16, as in training; B may be 0."""
        return self.predict_chunks([clips])

    def predict_chunks(self, chunks: Iterable[np.ndarray], batch_size: int = BATCH_SIZE) -> Prediction:
        """Predict consecutive chunks of clips as one; there may be none."""
        device = next(self.parameters()).device
        batches = (batch for chunk in chunks for batch in torch.from_numpy(chunk).split(batch_size) if len(batch))
        predictions = [self.predict(from_int16(batch.to(device))) for batch in batches]
        if not predictions:  # the front end takes no empty batch
            return self.predict(torch.zeros(1, NUM_SAMPLES, device=device)).rows(slice(0))
        return concatenate(predictions)


def load_predictor(checkpoints: Sequence[Path], device: str | torch.device = "auto") -> Predictor:
    """Load the members of `checkpoints` into one predictor, with the stacking weights that ensemble.py fitted to them.

    Args:
        checkpoints: the members' last.ckpt files, or one safetensors file with all members.
        device: a device of PyTorch; "auto" is a GPU if there is one.

    Raises:
        RunError: a file is not a checkpoint, or members have different words.
        SettingError: PyTorch finds no such device.
    """
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    trained, stacking, rule = read_trained(checkpoints)
    files = checkpoints if len(checkpoints) > 1 else [checkpoints[0]] * len(trained)
    members = [build_member(member, file) for member, file in zip(trained, files, strict=True)]
    predictor = Predictor(members, [str(file) for file in files], stacking, rule)
    try:
        return predictor.to(device)
    except (RuntimeError, AssertionError) as error:
        raise SettingError(f"device is {device}, but PyTorch finds no such device; choose cpu or auto") from error
