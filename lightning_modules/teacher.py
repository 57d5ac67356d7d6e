"""Knowledge distillation: targets from an ensemble."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Teacher:
    """Blends the mean probabilities of an ensemble into the targets of each training batch, after augmentation.

    Not a module: its weights belong to neither the student's checkpoint nor its optimizer.

    Args:
        networks: features `(B, C, F, T)` -> log-probabilities `(B, num_classes)`, in evaluation mode.
        weight: of the ensemble in the targets; the data's own targets have the rest.

    Source: Hinton et al., arXiv 1503.02531. Teacher and student should see the same augmented input, and the student
    should train for long: Beyer et al., arXiv 2106.05237.
    """

    def __init__(self, networks: Sequence[nn.Module], weight: float) -> None:
        self.networks, self.weight = list(networks), weight

    def to(self, device: torch.device) -> None:
        for network in self.networks:
            network.to(device)

    @torch.no_grad()
    def blend(self, features: Tensor, targets: Tensor) -> Tensor:
        """Features and targets `(B, num_classes)` of a batch -> new targets, float32."""
        features = features.contiguous(memory_format=torch.channels_last)
        probs = torch.stack([network(features).exp() for network in self.networks])
        return targets.lerp(probs.mean(dim=0), self.weight)
